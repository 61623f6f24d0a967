#include "commands/validate_judge.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace wasmplug {
namespace {

TEST(CarriedSchemas, AreReadOnceAndThoseThatCannotBeUsedAreSaidOnce) {
    std::ostringstream out;
    std::ostringstream err;
    Output output(out, err);
    release::Artefacts artefacts;
    artefacts["oci://r/none"].name = "r/none";
    artefacts["oci://r/good"].config_schema = R"({"type": "object"})";
    artefacts["oci://r/bad"].name = "r/bad";
    artefacts["oci://r/bad"].config_schema = "no json";
    artefacts["oci://r/lost"].name = "r/lost";
    artefacts["oci://r/lost"].config_schema_problem = "it is not there";
    CarriedSchemas known;
    add_carried(artefacts, known, output);
    ASSERT_EQ(known.size(), 3U);
    EXPECT_TRUE(known.at("oci://r/good"));
    EXPECT_FALSE(known.at("oci://r/bad"));
    EXPECT_FALSE(known.at("oci://r/lost"));
    const std::string said = err.str();
    EXPECT_NE(said.find("note: pluginConfig is not judged by its image: the schema in r/bad"),
              std::string::npos)
        << said;
    EXPECT_NE(said.find("the schema in r/lost: it is not there"), std::string::npos) << said;
    // What --fix made the manifests ask for comes to it; the rest is known.
    artefacts["oci://r/more"].config_schema = "true";
    add_carried(artefacts, known, output);
    EXPECT_TRUE(known.at("oci://r/more"));
    EXPECT_EQ(err.str(), said);
}

}  // namespace
}  // namespace wasmplug
