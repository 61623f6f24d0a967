#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/terminal.hpp"

namespace wasmplug::toolchain {

// A message that a compiler gives when part of its tool chain is missing.
struct KnownMessage {
    std::string_view id;        // stable: "rust-target"
    std::string_view pattern;   // '*': anything; '@': a lower-case word
    std::string_view meaning;   // "the Rust standard library for WebAssembly is not installed"
    std::string_view mend;      // the one command
    std::string_view mend_apt;  // the same where Debian's packages are used; empty: as above
};

// The first known message in a compiler's output, or null.
const KnownMessage* recognise(std::string_view output);

// The command of `message` that fits this machine: Debian's where apt-get is found and rustup,
// whose targets are its own, is not; for the target that `output` names.
std::string mend_for(const KnownMessage& message, std::string_view output,
                     const Environment& environment);

}  // namespace wasmplug::toolchain
