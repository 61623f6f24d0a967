#include "toolchain/rust_flags.hpp"

#include <gtest/gtest.h>

#include <map>

#include "base/file.hpp"

namespace wasmplug::toolchain {
namespace {

namespace fs = std::filesystem;

const std::string remap = "--remap-path-prefix=/home/me/.cargo=/cargo";

class RustFlagsOf : public ::testing::Test {
  protected:
    RustFlags flags() const {
        return reproducible_rust_flags(
            folder_.path() / "project", "wasm32-unknown-unknown",
            [this](const std::string& name) -> std::optional<std::string> {
                const auto found = variables.find(name);
                return found == variables.end() ? std::nullopt : std::optional(found->second);
            });
    }

    void configure(const std::string& text) const {
        fs::create_directories(folder_.path() / ".cargo");
        write_file(folder_.path() / ".cargo/config.toml", text);
    }

    std::map<std::string, std::string> variables{{"HOME", "/home/me"}};

  private:
    TemporaryDirectory folder_;
};

TEST_F(RustFlagsOf, AProjectWithoutFlagsAreATargetsOwn) {
    EXPECT_EQ(flags().arguments,
              (std::vector<std::string>{
                  "--config", "target.wasm32-unknown-unknown.rustflags=['" + remap + "']"}));
    EXPECT_TRUE(flags().variables.empty());
}

TEST_F(RustFlagsOf, TheEnvironmentKeepItsFlags) {
    variables["RUSTFLAGS"] = " -C target-feature=+simd128  -g";
    ASSERT_EQ(flags().variables.size(), 1U);
    EXPECT_TRUE(flags().arguments.empty());
    EXPECT_EQ(flags().variables[0].second, "-C\x1ftarget-feature=+simd128\x1f-g\x1f" + remap);
    variables["CARGO_ENCODED_RUSTFLAGS"] = "-C\x1flink-arg=a b";
    EXPECT_EQ(flags().variables[0].second, "-C\x1flink-arg=a b\x1f" + remap);
    variables["CARGO_ENCODED_RUSTFLAGS"] = "";
    EXPECT_EQ(flags().variables[0].second, remap);
}

// cargo ignores build.rustflags as soon as a target has some: ours must not be the first.
TEST_F(RustFlagsOf, AConfigurationJoinTheTableThatCargoReads) {
    configure("[build]\nrustflags = [\"-g\"]\n");
    EXPECT_EQ(flags().arguments.back(), "build.rustflags=['" + remap + "']");
    configure("[build]\nrustflags = []\n[target.wasm32-unknown-unknown]\nrustflags = [\"-g\"]\n");
    EXPECT_TRUE(flags().arguments.back().starts_with("target.wasm32-unknown-unknown."));
    configure("");
    variables["CARGO_BUILD_RUSTFLAGS"] = "-g";
    EXPECT_TRUE(flags().arguments.back().starts_with("build."));
}

TEST_F(RustFlagsOf, AnotherFolderOfCratesNameThatFolder) {
    variables["CARGO_HOME"] = "/srv/cargo/";
    EXPECT_NE(flags().arguments.back().find("=/srv/cargo/=/cargo"), std::string::npos);
}

TEST(RustflagsTable, IsFoundInEverySpelling) {
    EXPECT_EQ(rustflags_table("build.rustflags = \"-g\""), "build");
    EXPECT_EQ(rustflags_table("[target.'cfg(target_family = \"wasm\")']\nrustflags=['-g']\n"),
              "target");
    EXPECT_EQ(rustflags_table("# [build]\n# rustflags = []\n[net]\nrustflags = 1\n"), "");
}

}  // namespace
}  // namespace wasmplug::toolchain
