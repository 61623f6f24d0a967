#include "toolchain/messages.hpp"

#include <gtest/gtest.h>

namespace wasmplug::toolchain {
namespace {

struct Said {
    const char* output;
    const char* id;
};

// As the compilers print them, in a build with that part hidden.
const Said said[] = {
    {"error[E0463]: can't find crate for `std`\n  |\n  = note: the `wasm32-unknown-unknown` "
     "target may not be installed",
     "rust-target"},
    {"error: failed to run `rustc`\n  error: could not find specification for target "
     "\"wasm32-wasi\"",
     "rust-old-target"},
    {"error: could not execute process `rustc -vV` (never executed)\n", "rustc"},
    {"error: linker `rust-lld` not found\n", "rust-linker"},
    {"= note: wasm-ld-19: error: unable to find library -lc\n", "wasi-libc"},
    {"-buildmode=c-shared not supported on wasip1/wasm\n", "go-old"},
    {"go: go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)\n", "go-newer"},
    {"clang++-19: error: unable to execute command: Executable \"wasm-ld-19\" doesn't exist!\n",
     "clang-no-linker"},
    {"/x/config.cc:3:10: fatal error: 'string' file not found\n", "wasi-libcxx"},
    {"wasm-ld-19: error: cannot open crt1-reactor.o: No such file\n", "wasi-crt"},
    {"wasm-ld-19: error: cannot open /usr/lib/wasi/libclang_rt.builtins.a: No such file\n",
     "wasi-compiler-rt"},
    {"g++: error: unrecognized command-line option '--target=wasm32'\n", "not-clang"},
    {"sh: 1: asc: not found\n", "npm-no-asc"},
    {"npm error could not determine executable to run\n", "npm-no-asc"},
    {"sh: 1: npm: not found\n", "npm-missing"},
};

TEST(Messages, OfEveryCompilerAreRecognised) {
    for (const auto& each : said) {
        const KnownMessage* known = recognise(each.output);
        ASSERT_NE(known, nullptr) << each.output;
        EXPECT_EQ(known->id, each.id) << each.output;
        EXPECT_FALSE(known->mend.empty());
    }
}

TEST(Messages, OfAnOrdinaryMistakeAreNot) {
    EXPECT_EQ(recognise("src/lib.rs:3: error[E0433]: failed to resolve: use of undeclared type "
                        "`Duration`"),
              nullptr);
    EXPECT_EQ(recognise("config.cc:1:10: fatal error: 'my_header.h' file not found"), nullptr);
    EXPECT_EQ(recognise("config.cc:1:10: fatal error: 'lib/x' file not found"), nullptr);
    EXPECT_EQ(recognise(""), nullptr);
}

TEST(Messages, AreMendedForTheTargetThatTheyName) {
    const auto nothing = [](const std::string&) -> std::optional<std::string> {
        return "/nowhere";
    };
    const std::string output =
        "error[E0463]: can't find crate for `std`\n"
        "note: the `wasm32-wasip1` target may not be installed\n";
    const KnownMessage* known = recognise(output);
    ASSERT_NE(known, nullptr);
    EXPECT_EQ(mend_for(*known, output, nothing), "rustup target add wasm32-wasip1");
    EXPECT_EQ(mend_for(*known, "", nothing), "rustup target add wasm32-unknown-unknown");
}

}  // namespace
}  // namespace wasmplug::toolchain
