#include "manifest/config_schema.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.hpp"

namespace wasmplug::manifest {
namespace {

const std::string schema =
    R"({"type": "object", "required": ["host"], "additionalProperties": false, "properties": {
        "host": {"type": "string", "minLength": 1, "pattern": "^[a-z.]+$"},
        "ports": {"type": "array", "items": {"$ref": "#/$defs/port"}},
        "mode": {"enum": ["on", "off"]}}, "$defs": {"port": {"type": "integer", "minimum": 1}}})";

struct Said {
    std::string path;
    std::string message;
    std::size_t line;
    std::size_t column;
};

class Config : public testing::Test {
  protected:
    Config() { write_file(folder_.path() / "config.schema.json", schema); }

    std::vector<Said> judge(const std::string& config, bool extension = false) const {
        const auto text = std::string("apiVersion: extensions.istio.io/v1alpha1\nkind: ") +
                          (extension ? "TrafficExtension\nmetadata: {name: a}\nspec:\n wasm:\n"
                                     : "WasmPlugin\nmetadata: {name: a}\nspec:\n") +
                          config;
        const auto file = yaml::File::parse(text, "plugin.yaml");
        Findings findings;
        check_config(objects_in(file).front(),
                     read_config_schema(folder_.path() / "config.schema.json"), findings);
        std::vector<Said> said;
        for (const auto& finding : findings.all()) {
            EXPECT_EQ(finding.rule->id, "WP114");
            const auto at = file.position(finding.range.begin);
            said.push_back({finding.path, finding.message, at.line, at.column});
        }
        return said;
    }

    TemporaryDirectory folder_;
};

TEST_F(Config, IsSilentAboutWhatTheSchemaAllows) {
    EXPECT_TRUE(judge("  pluginConfig: {host: a.b, ports: [1, 80], mode: \"on\"}\n").empty());
}

TEST_F(Config, SaysOfTheManifestWhatItsOwnSchemaCannotDecide) {
    write_file(folder_.path() / "config.schema.json", R"({"$ref": "#"})");
    const auto said = judge("  pluginConfig: {host: a.b}\n");
    ASSERT_EQ(said.size(), 1U);
    EXPECT_NE(said[0].message.find("circles"), std::string::npos) << said[0].message;
    EXPECT_EQ(said[0].line, 5U);
}

TEST_F(Config, PointsAtEachValue) {
    const auto said = judge(
        "  pluginConfig:\n    host: A\n    ports:\n    - 80\n    - 0\n    mode: on\n    mood: x\n");
    ASSERT_EQ(said.size(), 4U);
    EXPECT_EQ(said[0].path, "spec.pluginConfig.host");
    EXPECT_EQ(said[0].line, 6U);
    EXPECT_EQ(said[0].column, 11U);
    EXPECT_EQ(said[1].path, "spec.pluginConfig.mode");
    EXPECT_NE(said[1].message.find("true is none of \"on\", \"off\""), std::string::npos)
        << said[1].message;
    EXPECT_EQ(said[2].line, 11U) << "the key that should not be there";
    EXPECT_NE(said[2].message.find("there is no key 'mood'"), std::string::npos);
    EXPECT_EQ(said[3].path, "spec.pluginConfig.ports[1]");
    EXPECT_EQ(said[3].line, 9U);
}

TEST_F(Config, MissesWhatIsRequiredAlsoWithoutAConfiguration) {
    const auto none = judge("  url: oci://r.example/a/b:1\n");
    ASSERT_EQ(none.size(), 1U);
    EXPECT_NE(none[0].message.find("'host' is missing"), std::string::npos);
    const auto empty = judge("  pluginConfig: {mode: \"off\"}\n", true);
    ASSERT_EQ(empty.size(), 1U);
    EXPECT_EQ(empty[0].path, "spec.wasm.pluginConfig");
    EXPECT_EQ(empty[0].line, 6U);
}

Object object_of(const std::string& url) {
    return objects_in(yaml::File::parse("apiVersion: extensions.istio.io/v1alpha1\n"
                                        "kind: WasmPlugin\nmetadata: {name: a}\nspec: {url: \"" +
                                            url + "\"}\n",
                                        "x.yaml"))
        .front();
}

TEST_F(Config, IsJudgedByTheSchemaOfItsProject) {
    const auto at = [&](const char* file) {
        return (folder_.path() / file).string();
    };
    ConfigSchemas before;
    EXPECT_EQ(before.of(at("other.yaml")).schema, nullptr) << "no plugin.yaml: no project";
    write_file(at("plugin.yaml"),
               "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
               "metadata: {name: x}\nspec: {url: oci://registry.example.com/team/auth:1.0.0}\n");
    std::filesystem::create_directories(at("deploy/prod"));
    std::filesystem::create_directories(at("deploy/inner/.git"));
    ConfigSchemas schemas;
    const auto own = schemas.of(at("plugin.yaml"));
    ASSERT_NE(own.schema, nullptr);
    EXPECT_TRUE(own.is_for(object_of("oci://registry.example.com/another:1.0.0")));
    const auto beside = schemas.of(at("other.yaml"));
    EXPECT_EQ(beside.schema, own.schema);
    EXPECT_TRUE(beside.is_for(object_of("oci://registry.example.com/team/auth:2.0.0")));
    EXPECT_FALSE(beside.is_for(object_of("oci://registry.example.com/another:1.0.0")));
    const auto below = schemas.of(at("deploy/prod/x.yaml"));
    EXPECT_EQ(below.schema, own.schema);
    EXPECT_TRUE(below.is_for(
        object_of("oci://mirror.example.com:5000/copies/auth@sha256:" + std::string(64, 'a'))));
    EXPECT_TRUE(below.is_for(object_of("https://example.com/modules/auth.wasm")));
    EXPECT_FALSE(below.is_for(object_of("oci://registry.example.com/team/author:1.0.0")));
    EXPECT_FALSE(below.is_for(object_of("")));
    EXPECT_EQ(schemas.of(at("deploy/inner/x.yaml")).schema, nullptr) << "another work tree";
    EXPECT_EQ(schemas.of("elsewhere/plugin.yaml").schema, nullptr);
}

TEST_F(Config, SaysOnceThatASchemaOfAProjectIsBroken) {
    write_file(folder_.path() / "plugin.yaml", "");
    write_file(folder_.path() / "config.schema.json", "{\"type\": 3");
    ConfigSchemas schemas;
    const auto file = (folder_.path() / "a.yaml").string();
    EXPECT_THROW(schemas.of(file), Error);
    EXPECT_EQ(schemas.of(file).schema, nullptr);
}

TEST_F(Config, IsJudgedByAForeignSchemaAsFarAsThatGoes) {
    const auto object = object_of("oci://registry.example.com/team/auth:1.0.0");
    Findings findings;
    const auto odd = carried_config_schema(
        R"x({"required": ["host"], "properties": {"a": {"pattern": "(?!x)"}}})x", "r.example/a:1");
    const auto notes = check_config(object, odd, findings);
    ASSERT_EQ(notes.size(), 1U);
    EXPECT_TRUE(notes[0].starts_with("the schema in r.example/a:1: not judged by the pattern"))
        << notes[0];
    ASSERT_EQ(findings.all().size(), 1U);
    EXPECT_NE(findings.all()[0].message.find("(the schema in r.example/a:1)"), std::string::npos);
    const auto round = carried_config_schema(R"({"$ref": "#"})", "r.example/a:1");
    EXPECT_EQ(check_config(object, round, findings).size(), 1U);
    EXPECT_EQ(findings.all().size(), 1U);
    EXPECT_THROW(carried_config_schema(std::string(300'000, ' ') + "{}", "a"), Error);
    std::string deep;
    for (int i = 0; i < 70; ++i) {
        deep += R"({"not": )";
    }
    EXPECT_THROW(carried_config_schema(deep + "true" + std::string(70, '}'), "a"), Error);
    EXPECT_THROW(carried_config_schema("no json", "a"), Error);
}

TEST_F(Config, RefusesASchemaThatCannotBeUsed) {
    for (const char* text :
         {"[1]", R"({"properties": {"a": 1}})", R"({"pattern": "("})", R"({"$ref": "#/$defs/x"})",
          R"({"$ref": "https://example.com/x.json"})", R"({"$dynamicRef": "#x"})",
          R"({"required": 3})", R"({"$ref": "#"})"}) {
        EXPECT_THROW(
            {
                const JsonSchema rules(nlohmann::ordered_json::parse(text), "x");
                rules.check(nlohmann::ordered_json::object());
            },
            Error)
            << text;
    }
}

}  // namespace
}  // namespace wasmplug::manifest
