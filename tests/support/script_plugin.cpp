#include "tests/support/script_plugin.hpp"

#include <map>
#include <stdexcept>

#include "base/file.hpp"
#include "base/process.hpp"
#include "tests/support/require.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

const fs::path& folder() {
    static const TemporaryDirectory made;
    return made.path();
}

void run(std::vector<std::string> argv) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    const auto result = run_process(spec, Cancel());
    if (result.exit_code != 0) {
        throw std::runtime_error(spec.argv[0] + ": " + result.err);
    }
}

}  // namespace

std::optional<fs::path> built_plugin(const std::string& name) {
    if (!find_program("clang") || !find_program("wasm-ld")) {
        return std::nullopt;
    }
    static std::map<std::string, fs::path> built;
    auto& path = built[name];
    if (path.empty()) {
        const auto source = fs::path(WASMPLUG_SOURCE_DIR) / "tests/data/wasm" / (name + ".c");
        const auto module = folder() / (name + ".wasm");
        const auto object = folder() / (name + ".o");
        // In two steps: the driver would run wasm-opt, which drops the names.
        run({"clang", "--target=wasm32", "-O1", "-ffreestanding", "-fno-builtin", "-c",
             source.string(), "-o", object.string()});
        run({"wasm-ld", "--no-entry", "--allow-undefined", object.string(), "-o", module.string()});
        path = module;
    }
    return path;
}

std::optional<fs::path> assembled(const std::string& text) {
    if (!find_program("wat2wasm")) {
        return std::nullopt;
    }
    static int number = 0;
    const auto stem = folder() / ("module" + std::to_string(number++));
    write_file(stem.string() + ".wat", text);
    run({"wat2wasm", "--enable-all", stem.string() + ".wat", "-o", stem.string() + ".wasm"});
    return stem.string() + ".wasm";
}

}  // namespace wasmplug::test
