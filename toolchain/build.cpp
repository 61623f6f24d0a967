#include "toolchain/build.hpp"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "toolchain/sources.hpp"
#include "wasm/loading.hpp"
#include "wasm/strip.hpp"

namespace wasmplug::toolchain {

namespace fs = std::filesystem;

namespace {

// The level at which a package compresses.
constexpr int gzip_level = 9;

std::uint64_t gzipped_size(const std::string& bytes) {
    const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
        libdeflate_alloc_compressor(gzip_level), libdeflate_free_compressor);
    std::string out(libdeflate_gzip_compress_bound(compressor.get(), bytes.size()), '\0');
    return libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(), out.data(),
                                    out.size());
}

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

// wasm-opt gains 7 % on Go's modules and takes 15 to 40 s for it: only when it is asked for.
bool wants_wasm_opt(const Project& project, const BuildOptions& options) {
    return options.optimize && !options.debug && options.level != "0" &&
           (project.language != Language::go || !options.level.empty());
}

// What wasm-opt is given besides the level and the files.
// Never --all-features: with it wasm-opt writes typed function references, and Envoy answers
// "Failed to load Wasm bytecode". None of them, and it fails on a module whose target_features
// section was stripped. The same words for binaryen 108 to 132.
std::vector<std::string> wasm_opt_features() {
    return {"--enable-bulk-memory", "--enable-nontrapping-float-to-int",
            "--enable-sign-ext",    "--enable-mutable-globals",
            "--enable-multivalue",  "--enable-reference-types"};
}

// What wasm-opt is called and how hard it is to try: "wasm-opt version 108 -Oz"; empty when it is
// not to run, or not there.
std::string optimiser(const Project& project, const BuildOptions& options,
                      const BuildWorld& world) {
    if (!wants_wasm_opt(project, options) || !first_program({"wasm-opt"}, world.environment)) {
        return {};
    }
    const std::string version = run_tool(
        {.argv = {"wasm-opt", "--version"}, .directory = {}, .env = {}, .keep_stdout = true},
        world);
    return fmt::format("{} -O{}", first_line(version), options.level.empty() ? "z" : options.level);
}

std::string optimise(const fs::path& compiled, const std::string& by, const BuildWorld& world) {
    if (by.empty()) {
        return read_file(compiled);
    }
    const TemporaryDirectory folder;
    const fs::path result = folder.path() / "plugin.wasm";
    ToolRun run{.argv = {"wasm-opt", by.substr(by.rfind(' ') + 1)}};
    const auto features = wasm_opt_features();
    run.argv.insert(run.argv.end(), features.begin(), features.end());
    run.argv.insert(run.argv.end(), {fs::absolute(compiled).string(), "-o", result.string()});
    run_tool(run, world);
    return read_file(result);
}

// What the last build made the module from, and what came of it: a line for each. Another
// wasmplug may strip or judge otherwise.
fs::path record_of(const Project& project) {
    return project.directory / "build" / "made-from";
}

std::string record(const std::string& compiled, const std::string& by, const BuildOptions& options,
                   const std::string& module) {
    return fmt::format("wasmplug {}\ncompiled {}\noptimised {}{}\nmodule {}\n", WASMPLUG_VERSION,
                       sha256_hex(compiled), by, options.debug ? "debug" : "", sha256_hex(module));
}

void refuse_what_envoy_refuses(const Project& project, const std::string& bytes) {
    const auto verdict = wasm::would_load(bytes, wasm::envoy_rules(wasm::newest_envoy_minor()));
    if (!verdict.loads) {
        throw Error(fmt::format("{} compiled '{}' to a module that Envoy refuses: {}",
                                to_text(project.language), project.name, verdict.message),
                    verdict.reason);
    }
}

}  // namespace

Built build(const Project& project, const BuildOptions& options, const BuildWorld& world) {
    return in_context(fmt::format("building {}", project.name), [&] {
        const fs::path compiled = compile(project, options, world);
        const std::string raw = read_file(compiled);
        const std::string by = optimiser(project, options, world);
        std::string module = read_file_if_there(project.module()).value_or("");
        const bool unchanged = !module.empty() && read_file_if_there(record_of(project)) ==
                                                      record(raw, by, options, module);
        if (unchanged) {
            // As new as its sources, which may have been saved without a change.
            fs::last_write_time(project.module(), fs::file_time_type::clock::now());
        } else {
            module = optimise(compiled, by, world);
            refuse_what_envoy_refuses(project, module);
            if (!options.debug) {
                module = wasm::strip(module);
            }
            fs::create_directories(project.module().parent_path());
            write_file(project.module(), module);
            write_file(record_of(project), record(raw, by, options, module));
        }
        return Built{.project = project,
                     .module = project.module(),
                     .sha256 = sha256_hex(module),
                     .compiled_size = raw.size(),
                     .size = module.size(),
                     .gzipped_size = gzipped_size(module),
                     .optimised_by = by,
                     .unchanged = unchanged,
                     .warnings = wasm::lint(wasm::read_module(module))};
    });
}

std::vector<Project> changed_since(const std::vector<Project>& projects,
                                   const std::string& revision, const BuildWorld& world) {
    std::vector<Project> changed;
    for (const auto& project : projects) {
        const auto git = [&](std::vector<std::string> words) {
            words.insert(words.begin(), {"git", "-C", project.directory.string()});
            return run_tool({.argv = std::move(words), .keep_stdout = true}, world);
        };
        const fs::path root = first_line(git({"rev-parse", "--show-toplevel"}));
        // --end-of-options: a revision is never taken for a flag. Both names of what was renamed.
        const std::string names =
            git({"diff", "--name-only", "--no-renames", "-z", "--end-of-options", revision}) +
            git({"ls-files", "--others", "--exclude-standard", "--full-name", "-z"});
        const Sources sources(project);
        bool differs = false;
        for (std::size_t at = 0; at < names.size() && !differs;) {
            const std::string name = names.substr(at, names.find('\0', at) - at);
            differs = sources.has(root / name);
            at += name.size() + 1;
        }
        if (differs) {
            changed.push_back(project);
        }
    }
    return changed;
}

}  // namespace wasmplug::toolchain
