#include "toolchain/messages.hpp"

#include <array>

#include "base/process.hpp"

namespace wasmplug::toolchain {

namespace {

// Collected by hiding one part after another from rustc 1.96, Go 1.26, clang 14 and 19, npm 10;
// the more particular message stands first.
constexpr std::array table = std::to_array<KnownMessage>({
    {"rust-target", "can't find crate for `*target may not be installed",
     "Rust's standard library for this target is not installed",
     "rustup target add wasm32-unknown-unknown", "apt-get install libstd-rust-dev-wasm32"},
    {"rust-target", "can't find crate for `*`std` is required by",
     "Rust's standard library for this target is not installed",
     "rustup target add wasm32-unknown-unknown", "apt-get install libstd-rust-dev-wasm32"},
    {"rust-target", "can't find crate for `core`",
     "Rust's standard library for this target is not installed",
     "rustup target add wasm32-unknown-unknown", "apt-get install libstd-rust-dev-wasm32"},
    {"rustc", "could not execute process `rustc", "rustc is not installed, or not on PATH",
     "rustup default stable", "apt-get install rustc"},
    {"rust-old-target", "could not find specification for target \"wasm32-wasi\"",
     "newer Rust calls this target wasm32-wasip1", "wasmplug build --target wasm32-wasip1", ""},
    {"rust-linker", "linker `rust-lld` not found", "Rust's linker is not installed",
     "rustup component add llvm-tools", "apt-get install lld-19"},
    {"wasi-libc", "unable to find library -lc", "the C library for WASI is not installed",
     "apt-get install wasi-libc", ""},
    {"go-old", "-buildmode=c-shared not supported on wasip1/wasm",
     "this Go is too old: plugins need 1.24", "go install golang.org/dl/go1.24.0@latest", ""},
    {"go-newer", "go.mod requires go >= *running go", "go.mod asks for a newer Go than this one",
     "GOTOOLCHAIN=auto wasmplug build", ""},
    {"clang-no-linker", "unable to execute command: *wasm-ld",
     "clang's linker for WebAssembly is not installed", "apt-get install lld", ""},
    {"clang-no-linker", "invalid linker name in*wasm-ld",
     "clang's linker for WebAssembly is not installed", "apt-get install lld", ""},
    {"clang-no-linker", "program not found*wasm-ld",
     "clang's linker for WebAssembly is not installed", "apt-get install lld", ""},
    {"wasi-crt", "cannot open crt1-reactor.o", "the C library for WASI is not installed",
     "apt-get install wasi-libc", ""},
    {"wasi-compiler-rt", "cannot open *libclang_rt.builtins",
     "clang's run-time library for WebAssembly is not installed",
     "apt-get install libclang-rt-19-dev-wasm32", ""},
    {"wasi-libcxx", "unable to find library -lc++", "the C++ library for WASI is not installed",
     "apt-get install libc++-19-dev-wasm32 libc++abi-19-dev-wasm32", ""},
    {"wasi-libcxx", "fatal error: '@' file not found",  // no project names a header "string"
     "the C++ library for WASI is not installed",
     "apt-get install wasi-libc libc++-19-dev-wasm32 libc++abi-19-dev-wasm32", ""},
    {"not-clang", "unrecognized command-line option '--target=wasm32",
     "gcc makes no WebAssembly; clang does", "apt-get install clang lld", ""},
    {"not-clang", "unrecognized command-line option \xe2\x80\x98--target=wasm32",
     "gcc makes no WebAssembly; clang does", "apt-get install clang lld", ""},
    {"clang-no-wasm", "No available targets are compatible with triple \"wasm32",
     "this clang was built without WebAssembly", "apt-get install clang lld", ""},
    {"npm-no-asc", "asc: not found", "the project's dependencies are not installed", "npm install",
     ""},
    {"npm-no-asc", "could not determine executable to run",
     "the project's dependencies are not installed", "npm install", ""},
    {"npm-missing", "npm: not found", "npm is not installed", "apt-get install npm", ""},
    {"rust-edition", "feature `edition2024` is required",
     "this cargo is too old for one of the crates", "rustup update stable", ""},
    {"offline", "Could not resolve host", "a dependency could not be downloaded",
     "check the network and the proxy variables, or build with --offline", ""},
});

// Length of the lower-case word at the start of `text`, as names of standard headers are.
std::size_t word_length(std::string_view text) {
    const auto end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_");
    return end == std::string_view::npos ? text.size() : end;
}

// Whether `text` begins with `pattern`, in which '@' stands for a word.
bool begins_with(std::string_view text, std::string_view pattern) {
    const auto at = pattern.find('@');
    if (!text.starts_with(pattern.substr(0, at))) {
        return false;
    }
    if (at == std::string_view::npos) {
        return true;
    }
    text.remove_prefix(at);
    const std::size_t word = word_length(text);
    return word != 0 && begins_with(text.substr(word), pattern.substr(at + 1));
}

bool matches(std::string_view text, std::string_view pattern) {
    while (true) {
        const auto star = pattern.find('*');
        const std::string_view piece = pattern.substr(0, star);
        while (!text.empty() && !begins_with(text, piece)) {
            const auto next = text.find(piece.substr(0, 1), 1);
            text = next == std::string_view::npos ? std::string_view{} : text.substr(next);
        }
        if (text.empty() || star == std::string_view::npos) {
            return !text.empty();
        }
        text.remove_prefix(1);
        pattern.remove_prefix(star + 1);
    }
}

}  // namespace

const KnownMessage* recognise(std::string_view output) {
    for (const auto& message : table) {
        if (matches(output, message.pattern)) {
            return &message;
        }
    }
    return nullptr;
}

std::string mend_for(const KnownMessage& message, std::string_view output,
                     const Environment& environment) {
    const bool apt = find_program("apt-get", environment).has_value() &&
                     !find_program("rustup", environment).has_value();
    std::string mend(apt && !message.mend_apt.empty() ? message.mend_apt : message.mend);
    // The target that rustc misses is the one to add.
    constexpr std::string_view usual = "wasm32-unknown-unknown";
    const auto at = mend.find(usual);
    if (at != std::string::npos && output.find("wasm32-wasip1") != std::string_view::npos) {
        mend.replace(at, usual.size(), "wasm32-wasip1");
    }
    return mend;
}

}  // namespace wasmplug::toolchain
