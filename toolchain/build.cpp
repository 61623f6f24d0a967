#include "toolchain/build.hpp"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/git.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
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

struct Optimiser {
    std::string version;  // "wasm-opt version 108"
    std::string level;    // "-Oz"
};

std::string to_text(const std::optional<Optimiser>& optimiser) {
    return optimiser ? optimiser->version + ' ' + optimiser->level : "";
}

// Nothing when wasm-opt is not to run, or not there.
std::optional<Optimiser> optimiser(const Project& project, const BuildOptions& options,
                                   const BuildWorld& world) {
    if (!wants_wasm_opt(project, options) || !first_program({"wasm-opt"}, world.environment)) {
        return std::nullopt;
    }
    const std::string version = run_tool(
        {.argv = {"wasm-opt", "--version"}, .directory = {}, .env = {}, .keep_stdout = true},
        world);
    return Optimiser{first_line(version), "-O" + (options.level.empty() ? "z" : options.level)};
}

std::string optimise(const fs::path& compiled, const Optimiser& by, const BuildWorld& world) {
    const TemporaryDirectory folder;
    const fs::path result = folder.path() / "plugin.wasm";
    ToolRun run{.argv = {"wasm-opt", by.level}};
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
        const auto by = optimiser(project, options, world);
        std::string module = read_file_if_there(project.module()).value_or("");
        const bool unchanged = !module.empty() && read_file_if_there(record_of(project)) ==
                                                      record(raw, to_text(by), options, module);
        if (unchanged) {
            // As new as its sources, which may have been saved without a change.
            fs::last_write_time(project.module(), fs::file_time_type::clock::now());
        } else {
            module = by ? optimise(compiled, *by, world) : raw;
            refuse_what_envoy_refuses(project, module);
            if (!options.debug) {
                module = wasm::strip(module);
            }
            fs::create_directories(project.module().parent_path());
            write_file(project.module(), module);
            write_file(record_of(project), record(raw, to_text(by), options, module));
        }
        return Built{.project = project,
                     .module = project.module(),
                     .sha256 = sha256_hex(module),
                     .compiled_size = raw.size(),
                     .size = module.size(),
                     .gzipped_size = gzipped_size(module),
                     .optimised_by = to_text(by),
                     .unchanged = unchanged,
                     .warnings = wasm::lint(wasm::read_module(module))};
    });
}

std::vector<Project> changed_since(const std::vector<Project>& projects,
                                   const std::string& revision, const BuildWorld& world) {
    const auto git = [&](const fs::path& folder, std::vector<std::string> words) {
        return git_output({.arguments = std::move(words), .folder = folder}, world.spawn,
                          world.cancel);
    };
    std::map<fs::path, std::vector<fs::path>> changed_below;
    const auto changed_files = [&](const fs::path& root) -> const std::vector<fs::path>& {
        const auto [found, is_new] = changed_below.try_emplace(root);
        if (is_new) {
            // --end-of-options: a revision is never taken for a flag. Both names of what was
            // renamed.
            const std::string names =
                git(root,
                    {"diff", "--name-only", "--no-renames", "-z", "--end-of-options", revision}) +
                git(root, {"ls-files", "--others", "--exclude-standard", "-z"});
            for (std::size_t at = 0; at < names.size();) {
                const std::size_t end = names.find('\0', at);
                found->second.push_back(root / names.substr(at, end - at));
                at = end + 1;
            }
        }
        return found->second;
    };
    std::vector<Project> changed;
    for (const auto& project : projects) {
        const Sources sources(project);
        // A library may lie anywhere below the root.
        const auto& files =
            changed_files(first_line(git(project.directory, {"rev-parse", "--show-toplevel"})));
        if (std::any_of(files.begin(), files.end(),
                        [&](const fs::path& file) { return sources.has(file); })) {
            changed.push_back(project);
        }
    }
    return changed;
}

}  // namespace wasmplug::toolchain
