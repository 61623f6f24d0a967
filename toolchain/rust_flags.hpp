#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/terminal.hpp"

namespace wasmplug::toolchain {

// What keeps cargo's folder of downloaded crates, which is another one for every user, out of a
// module: the file names in messages of panics begin with it. The project's own files are named
// from its root by cargo itself.
struct RustFlags {
    std::vector<std::string> arguments;                          // of cargo
    std::vector<std::pair<std::string, std::string>> variables;  // for cargo
};

// Added to whatever flags the project and the environment have, never in their place: cargo takes
// them from one of four sources and ignores the others (the Cargo book, build.rustflags).
RustFlags reproducible_rust_flags(const std::filesystem::path& project, std::string_view target,
                                  const Environment& environment);

// Which table of a .cargo/config.toml sets rustflags: "build", "target" or "".
std::string rustflags_table(std::string_view config);

}  // namespace wasmplug::toolchain
