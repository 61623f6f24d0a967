#include "toolchain/compile.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "toolchain/compile_cpp.hpp"
#include "toolchain/messages.hpp"
#include "toolchain/rust_flags.hpp"
#include "toolchain/sources.hpp"
#include "toolchain/workspace.hpp"

namespace wasmplug::toolchain {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kept_for_recognition = std::size_t{256} << 10;

std::string command_line(const ToolRun& run) {
    std::string line;
    for (const auto& [name, value] : run.env) {
        line += name + '=' + value.value_or("") + ' ';
    }
    for (const auto& word : run.argv) {
        line += word + ' ';
    }
    line.pop_back();
    return line;
}

std::string need(const std::string& program, Language language, const BuildWorld& world) {
    if (!first_program({program}, world.environment)) {
        throw Error(fmt::format("{} is not installed, or not on PATH", program),
                    install_hint(language));
    }
    return program;
}

fs::path raw_module(const Project& project) {
    const fs::path folder = project.directory / "build" / "raw";
    fs::create_directories(folder);
    return folder / "plugin.wasm";
}

// The module among the files that cargo reports for the project's own package.
fs::path cargo_artefact(const std::string& messages, const Project& project) {
    fs::path found;
    const fs::path own = fs::weakly_canonical(project.directory / "Cargo.toml");
    std::size_t start = 0;
    while (start < messages.size()) {
        const std::size_t end = std::min(messages.find('\n', start), messages.size());
        const auto message = nlohmann::json::parse(messages.substr(start, end - start), nullptr,
                                                   /*allow_exceptions=*/false);
        start = end + 1;
        if (!message.is_object() || message.value("reason", "") != "compiler-artifact" ||
            fs::weakly_canonical(message.value("manifest_path", "")) != own) {
            continue;
        }
        for (const auto& file : message.value("filenames", nlohmann::json::array())) {
            if (file.is_string() && file.get<std::string>().ends_with(".wasm")) {
                found = file.get<std::string>();
            }
        }
    }
    if (found.empty()) {
        throw Error(fmt::format("cargo built no .wasm of '{}'", project.name),
                    "Cargo.toml needs [lib] crate-type = [\"cdylib\"]");
    }
    return found;
}

fs::path compile_rust(const Project& project, const BuildOptions& options,
                      const BuildWorld& world) {
    const std::string cargo =
        need(options.compiler.empty() ? "cargo" : options.compiler, Language::rust, world);
    const std::string target = options.target.empty() ? "wasm32-unknown-unknown" : options.target;
    ToolRun run{
        .argv = {cargo, "build", "--target", target, "--message-format", "json-render-diagnostics"},
        .directory = project.directory,
        .keep_stdout = true};
    if (!options.debug) {
        run.argv.emplace_back("--release");
        const RustFlags flags =
            reproducible_rust_flags(project.directory, target, world.environment);
        run.argv.insert(run.argv.end(), flags.arguments.begin(), flags.arguments.end());
        run.env.insert(run.env.end(), flags.variables.begin(), flags.variables.end());
    }
    if (options.offline) {
        run.argv.emplace_back("--offline");
    }
    if (options.colour) {
        run.env.emplace_back("CARGO_TERM_COLOR", "always");
    }
    return cargo_artefact(run_tool(run, world), project);
}

fs::path compile_go(const Project& project, const BuildOptions& options, const BuildWorld& world) {
    const std::string go =
        need(options.compiler.empty() ? "go" : options.compiler, Language::go, world);
    const fs::path module = fs::absolute(raw_module(project));
    ToolRun run{.directory = project.directory};
    if (fs::path(go).filename().string().starts_with("tinygo")) {
        run.argv = {go, "build", "-target=wasip1", "-buildmode=c-shared", "-scheduler=none"};
        if (!options.debug) {
            run.argv.emplace_back("-no-debug");
        }
    } else {
        run.env = {{"GOOS", "wasip1"}, {"GOARCH", "wasm"}};
        // Without the folder and the commit in it, the same source is the same module anywhere.
        run.argv = {go, "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false"};
        if (!options.debug) {
            run.argv.emplace_back("-ldflags=-s -w");
        }
        if (options.offline) {
            run.env.emplace_back("GOPROXY", "off");
        }
    }
    run.argv.insert(run.argv.end(), {"-o", module.string(), "."});
    run_tool(run, world);
    return module;
}

// asc compiles all of its standard library each time, which takes seconds: the hash of everything
// that it reads says whether it has to.
std::string assemblyscript_inputs(const Project& project, const BuildOptions& options,
                                  const fs::path& asc) {
    std::vector<fs::path> files = Sources(project).files();
    // What npm, yarn or pnpm has installed, with the compiler's own version.
    for (const char* installed :
         {".package-lock.json", ".yarn-integrity", ".yarn-state.yml", ".pnpm/lock.yaml"}) {
        files.push_back(asc.parent_path().parent_path() / installed);
    }
    Sha256 hash;
    hash.update(fs::weakly_canonical(asc).string() + (options.debug ? " debug" : " release"));
    for (const auto& file : files) {
        const std::string text = read_file_if_there(file).value_or("");
        hash.update(fmt::format("\n{} {}\n", file.string(), text.size()));
        hash.update(text);
    }
    return hash.hex();
}

fs::path compile_assemblyscript(const Project& project, const BuildOptions& options,
                                const BuildWorld& world) {
    need("node", Language::assemblyscript, world);
    fs::path asc =
        options.compiler.empty() ? find_asc(project.directory) : fs::path(options.compiler);
    if (asc.empty()) {
        const std::string npm = need("npm", Language::assemblyscript, world);
        // In a member's folder npm would leave out what the workspace's root asks for.
        const fs::path root = npm_workspace(project.directory).value_or(project.directory);
        const bool locked = fs::exists(root / "package-lock.json");
        ToolRun install{.argv = {npm, locked ? "ci" : "install", "--no-fund", "--no-audit"},
                        .directory = root};
        if (options.offline) {
            install.argv.emplace_back("--offline");
        }
        run_tool(install, world);
        asc = find_asc(project.directory);
        if (asc.empty()) {
            throw Error(fmt::format("{} has no AssemblyScript compiler after 'npm install'",
                                    project.directory.string()),
                        "npm install --save-dev assemblyscript");
        }
    }
    const fs::path module = fs::absolute(raw_module(project));
    const fs::path record = module.parent_path() / "made-from";
    const std::string inputs = assemblyscript_inputs(project, options, asc);
    if (fs::exists(module) && read_file_if_there(record) == inputs) {
        world.verbose(fmt::format("{}: no source changed", project.name));
        return module;
    }
    run_tool({.argv = {asc.string(), "assembly/index.ts", "--target",
                       options.debug ? "debug" : "release", "--outFile",
                       module.lexically_relative(fs::absolute(project.directory)).string()},
              .directory = project.directory},
             world);
    write_file(record, inputs);
    return module;
}

}  // namespace

std::string run_tool(const ToolRun& run, const BuildWorld& world) {
    world.verbose(command_line(run));
    std::string said;
    const auto keep = [&](std::string_view text) {
        world.stream(text);
        said += text.substr(0, kept_for_recognition - std::min(said.size(), kept_for_recognition));
    };
    ProcessSpec spec;
    spec.argv = run.argv;
    spec.directory = run.directory;
    spec.env = run.env;
    spec.on_stderr = keep;
    if (!run.keep_stdout) {
        spec.on_stdout = keep;
    }
    ProcessResult result = world.spawn(spec, world.cancel);
    if (result.exit_code != 0) {
        const KnownMessage* known = recognise(said);
        const std::string tool = fs::path(run.argv[0]).filename().string();
        if (known != nullptr) {
            throw Error(fmt::format("{} ended with {}: {}", tool, result.exit_code, known->meaning),
                        mend_for(*known, said, world.environment));
        }
        throw Error(fmt::format("{} ended with {}", tool, result.exit_code));
    }
    return std::move(result.out);
}

std::optional<std::string> first_program(const std::vector<std::string>& names,
                                         const Environment& environment) {
    for (const auto& name : names) {
        if (find_program(name, environment)) {
            return name;
        }
    }
    return std::nullopt;
}

std::string install_hint(Language language) {
    switch (language) {
        case Language::rust:
            return "install Rust from https://rustup.rs, then 'rustup target add "
                   "wasm32-unknown-unknown'";
        case Language::go:
            return "install Go 1.24 or newer from https://go.dev/dl";
        case Language::cpp:
            return "apt-get install clang lld";
        case Language::assemblyscript:
            return "install Node.js 18 or newer from https://nodejs.org";
    }
    return {};
}

fs::path find_asc(const fs::path& directory) {
    for (fs::path at = fs::absolute(directory).lexically_normal(); at.has_relative_path();
         at = at.parent_path()) {
        const fs::path asc = at / "node_modules" / ".bin" / "asc";
        if (fs::exists(asc)) {
            return asc;
        }
    }
    return {};
}

fs::path compile(const Project& project, const BuildOptions& options, const BuildWorld& world) {
    switch (project.language) {
        case Language::rust:
            return compile_rust(project, options, world);
        case Language::go:
            return compile_go(project, options, world);
        case Language::cpp:
            return compile_cpp(project, options, world, raw_module(project));
        case Language::assemblyscript:
            return compile_assemblyscript(project, options, world);
    }
    return {};
}

}  // namespace wasmplug::toolchain
