#include "toolchain/build.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "base/error.hpp"
#include "base/file.hpp"
#include "tests/unit/wasm/builder.hpp"
#include "toolchain/compile_cpp.hpp"
#include "wasm/strip.hpp"

namespace wasmplug::toolchain {
namespace {

namespace fs = std::filesystem;
using wasm::testing::bytes;
using wasm::testing::custom;
using wasm::testing::smallest_plugin;

// A C++ project and a compiler that is a lambda: it writes what `module` says.
class Building : public ::testing::Test {
  protected:
    void SetUp() override {
        put("src/plugin.cc", "int x;\n");
        put("CMakeLists.txt", "project(auth VERSION 1.0)\nset(FLAGS --target=wasm32)\n");
        for (const char* tool : {"clang++", "wasm-opt"}) {
            install(tool);
        }
    }

    void put(const fs::path& path, std::string_view text) const {
        fs::create_directories((root() / path).parent_path());
        write_file(root() / path, text);
    }

    void install(const std::string& tool) const {
        put("bin/" + tool, "");
        fs::permissions(root() / "bin" / tool, fs::perms::owner_all);
    }

    void hide(const std::string& tool) const { fs::remove(root() / "bin" / tool); }

    BuildWorld world() {
        return {.spawn = [this](const ProcessSpec& spec, const Cancel&) { return run(spec); },
                .environment =
                    [this](const std::string& name) {
                        return name == "PATH" ? std::optional((root() / "bin").string())
                                              : std::nullopt;
                    },
                .cancel = {},
                .stream = [this](std::string_view text) { streamed += text; },
                .verbose =
                    [](std::string_view) {
                    }};
    }

    ProcessResult run(const ProcessSpec& spec) {
        const std::scoped_lock lock(mutex);
        commands.push_back(spec.argv);
        const auto out = std::find(spec.argv.begin(), spec.argv.end(), "-o");
        if (out != spec.argv.end()) {
            write_file(out[1], module);
        }
        if (spec.on_stderr) {
            spec.on_stderr(says);
        }
        ProcessResult result;
        result.exit_code = exit_code;
        result.out = "wasm-opt version 108\n";
        return result;
    }

    bool ran(std::string_view tool) const {
        return std::any_of(commands.begin(), commands.end(),
                           [&](const auto& argv) { return argv[0] == tool; });
    }

    const fs::path& root() const { return directory.path(); }

    Built build_it(const BuildOptions& options = {}) {
        return build(*project_at(root()), options, world());
    }

    TemporaryDirectory directory;
    std::mutex mutex;
    std::string module = smallest_plugin();
    std::string says;
    int exit_code = 0;
    std::vector<std::vector<std::string>> commands;
    std::string streamed;
};

TEST_F(Building, CompilesLinksOptimisesAndReports) {
    const Built built = build_it();
    EXPECT_EQ(built.sha256.size(), 64u);
    EXPECT_EQ(built.size, module.size());
    EXPECT_GT(built.gzipped_size, 0u);
    EXPECT_EQ(built.optimised_by, "wasm-opt version 108 -Oz");
    EXPECT_EQ(read_file(built.module), module);
    ASSERT_EQ(commands.size(), 4u);
    const auto& link = commands[1];
    EXPECT_TRUE(std::none_of(link.begin(), link.end(), [](const auto& word) {
        return word.starts_with("-O");
    })) << "clang would run a wasm-opt of its own";
}

TEST_F(Building, GivesWasmOptTheFeaturesThatEnvoyTakesAndNoOther) {
    build_it();
    const auto& argv = commands[3];
    EXPECT_EQ(argv[0], "wasm-opt");
    EXPECT_EQ(std::count_if(argv.begin(), argv.end(),
                            [](const auto& word) { return word.starts_with("--enable-"); }),
              6);
    EXPECT_EQ(std::find(argv.begin(), argv.end(), "--all-features"), argv.end());
}

TEST_F(Building, LeavesWasmOptOutWhenAskedOrAbsent) {
    BuildOptions options;
    options.optimize = false;
    EXPECT_EQ(build_it(options).optimised_by, "");
    hide("wasm-opt");
    EXPECT_EQ(build_it().optimised_by, "");
    EXPECT_FALSE(ran("wasm-opt"));
}

TEST_F(Building, StripsWhatADebuggerReadsUnlessAsked) {
    module = smallest_plugin(custom("name", bytes({1, 4, 1, 0, 1, 'f'})) +
                             custom(".debug_info", std::string(2000, 'x')));
    EXPECT_EQ(build_it().size, smallest_plugin().size());
    BuildOptions debug;
    debug.debug = true;
    const Built built = build_it(debug);
    EXPECT_EQ(built.size, module.size());
    ASSERT_EQ(built.warnings.size(), 1u);
    EXPECT_EQ(built.warnings[0].id, "debug-info");
}

TEST_F(Building, RefusesWhatEnvoyRefusesAndKeepsTheOldModule) {
    put("build/plugin.wasm", "old");
    module = bytes({0, 'a', 's', 'm', 1, 0, 0, 0});
    try {
        build_it();
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(error.full_message().find("Missing or unknown Proxy-Wasm ABI version"),
                  std::string::npos);
    }
    EXPECT_EQ(read_file(root() / "build" / "plugin.wasm"), "old");
}

TEST_F(Building, StreamsTheCompilerAndHonoursItsExit) {
    says = "plugin.cc:1: error: no\n";
    exit_code = 1;
    EXPECT_THROW(build_it(), Error);
    EXPECT_EQ(streamed, says);
    EXPECT_FALSE(fs::exists(root() / "build" / "plugin.wasm"));
}

TEST_F(Building, ExplainsAMessageItKnows) {
    says = "clang++: error: unable to execute command: Executable \"wasm-ld\" doesn't exist!\n";
    exit_code = 1;
    try {
        build_it();
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.hint(), "apt-get install lld");
    }
}

TEST_F(Building, SaysWhichToolIsMissing) {
    hide("clang++");
    try {
        build_it();
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(error.full_message().find("clang++ is not installed"), std::string::npos);
        EXPECT_FALSE(error.hint().empty());
    }
}

TEST_F(Building, ReadsDependencyFilesAsCompilersWriteThem) {
    EXPECT_EQ(read_dependencies("a.o: /x/a.cc /x/with\\ space.h \\\n  /x/b$$.h\n"),
              (std::vector<std::string>{"/x/a.cc", "/x/with space.h", "/x/b$.h"}));
    EXPECT_TRUE(read_dependencies("").empty());
}

TEST(Strip, TakesAwayWhatADebuggerReadsAndNothingElse) {
    const std::string kept = custom("producers", bytes({0})) + custom("target_features", "x");
    const std::string dropped = custom("name", bytes({0, 2, 1, 'm'})) +
                                custom(".debug_line", "abc") + custom("reloc.CODE", "abc");
    EXPECT_EQ(wasm::strip(smallest_plugin(dropped + kept)), smallest_plugin(kept));
    EXPECT_EQ(wasm::strip(smallest_plugin()), smallest_plugin());
}

}  // namespace
}  // namespace wasmplug::toolchain
