#include "toolchain/build.hpp"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
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

struct Optimised {
    std::string bytes;
    std::string by;
};

Optimised optimise(const Project& project, const fs::path& compiled, const BuildOptions& options,
                   const BuildWorld& world) {
    const auto wasm_opt = first_program({"wasm-opt"}, world.environment);
    if (!wasm_opt || !wants_wasm_opt(project, options)) {
        return {read_file(compiled), {}};
    }
    const TemporaryDirectory folder;
    const fs::path result = folder.path() / "plugin.wasm";
    const std::string level = "-O" + (options.level.empty() ? "z" : options.level);
    ToolRun run{.argv = {*wasm_opt, level}};
    const auto features = wasm_opt_features();
    run.argv.insert(run.argv.end(), features.begin(), features.end());
    run.argv.insert(run.argv.end(), {fs::absolute(compiled).string(), "-o", result.string()});
    run_tool(run, world);
    const std::string version = run_tool(
        {.argv = {*wasm_opt, "--version"}, .directory = {}, .env = {}, .keep_stdout = true}, world);
    return {read_file(result), first_line(version) + ' ' + level};
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
        const std::uint64_t compiled_size = fs::file_size(compiled);
        Optimised optimised = optimise(project, compiled, options, world);
        refuse_what_envoy_refuses(project, optimised.bytes);
        if (!options.debug) {
            optimised.bytes = wasm::strip(optimised.bytes);
        }
        fs::create_directories(project.module().parent_path());
        write_file(project.module(), optimised.bytes);
        return Built{.project = project,
                     .module = project.module(),
                     .sha256 = sha256_hex(optimised.bytes),
                     .compiled_size = compiled_size,
                     .size = optimised.bytes.size(),
                     .gzipped_size = gzipped_size(optimised.bytes),
                     .optimised_by = std::move(optimised.by),
                     .warnings = wasm::lint(wasm::read_module(optimised.bytes))};
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
        // --end-of-options: a revision is never taken for a flag.
        const std::string names =
            '\0' + git({"diff", "--name-only", "-z", "--end-of-options", revision}) +
            git({"ls-files", "--others", "--exclude-standard", "--full-name", "-z"});
        const auto sources = sources_of(project);
        const bool differs = std::any_of(sources.begin(), sources.end(), [&](const auto& source) {
            const std::string name = fs::weakly_canonical(source).lexically_relative(root).string();
            return names.find('\0' + name + '\0') != std::string::npos;
        });
        if (differs) {
            changed.push_back(project);
        }
    }
    return changed;
}

}  // namespace wasmplug::toolchain
