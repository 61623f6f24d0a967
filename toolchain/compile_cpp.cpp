#include "toolchain/compile_cpp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/parallel.hpp"

namespace wasmplug::toolchain {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t text_limit = std::size_t{4} << 20;

struct CppPlan {
    std::string compiler;
    std::string target;  // "wasm32": freestanding; "wasm32-wasi": with the C and C++ libraries
    std::vector<std::string> compile_flags;
    std::vector<std::string> link_flags;
};

CppPlan plan_for(const Project& project, const BuildOptions& options, const BuildWorld& world) {
    CppPlan plan;
    const auto compiler =
        first_program(options.compiler.empty() ? clang_names(world.environment)
                                               : std::vector<std::string>{options.compiler},
                      world.environment);
    if (!compiler) {
        throw Error(options.compiler.empty()
                        ? "clang++ is not installed, or not on PATH"
                        : fmt::format("{} is not installed, or not on PATH", options.compiler),
                    install_hint(Language::cpp));
    }
    plan.compiler = *compiler;
    plan.target = options.target.empty() ? cpp_target(project) : options.target;
    plan.compile_flags = {"--target=" + plan.target,
                          "-std=c++20",
                          "-Wall",
                          "-Wextra",
                          "-fno-exceptions",
                          "-fno-rtti",
                          "-fvisibility=hidden",
                          options.debug ? "-g" : "-Os"};
    // No -O where it links: with one, clang runs whatever wasm-opt is on PATH, and with flags
    // that Envoy's engine may not take.
    plan.link_flags = {"--target=" + plan.target};
    if (plan.target == "wasm32" || plan.target == "wasm32-unknown-unknown") {
        plan.compile_flags.emplace_back("-ffreestanding");
        plan.link_flags.insert(plan.link_flags.end(), {"-nostdlib", "-Wl,--no-entry"});
    } else {
        plan.link_flags.insert(plan.link_flags.end(),
                               {"-mexec-model=reactor", "-Wl,--export=malloc"});
    }
    if (options.colour) {
        plan.compile_flags.emplace_back("-fcolor-diagnostics");
    }
    return plan;
}

std::vector<fs::path> cpp_files(const Project& project) {
    const fs::path nested = project.directory / "src";
    const fs::path folder = fs::is_directory(nested) ? nested : project.directory;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (is_cpp_source(entry.path())) {
            files.push_back(fs::absolute(entry.path()).lexically_normal());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

bool is_older(const fs::path& made, const fs::path& source) {
    std::error_code failed;
    const auto built = fs::last_write_time(made, failed);
    if (failed) {
        return true;
    }
    const auto changed = fs::last_write_time(source, failed);
    return failed || changed > built;
}

bool is_up_to_date(const fs::path& object, const fs::path& dependencies) {
    const auto text = read_file_if_there(dependencies, text_limit);
    if (!text) {
        return false;
    }
    const auto files = read_dependencies(*text);
    return !files.empty() && std::none_of(files.begin(), files.end(),
                                          [&](const auto& file) { return is_older(object, file); });
}

}  // namespace

std::string cpp_target(const Project& project) {
    for (const char* file : {"CMakeLists.txt", "Makefile"}) {
        const auto text = read_file_if_there(project.directory / file, text_limit);
        if (!text) {
            continue;
        }
        for (const char* target : {"wasm32-wasip1", "wasm32-wasi", "wasm32"}) {
            if (text->find(std::string("--target=") + target) != std::string::npos) {
                return target;
            }
        }
    }
    return "wasm32-wasi";
}

std::vector<std::string> clang_names(const Environment& environment) {
    std::vector<std::string> names;
    if (const auto sdk = environment("WASI_SDK_PATH")) {
        names.push_back(*sdk + "/bin/clang++");
    }
    for (int version = 22; version >= 14; --version) {
        names.push_back(fmt::format("clang++-{}", version));
    }
    names.emplace_back("clang++");
    return names;
}

std::vector<std::string> read_dependencies(std::string_view text) {
    std::vector<std::string> files;
    const auto colon = text.find(": ");
    if (colon == std::string_view::npos) {
        return files;
    }
    std::string file;
    const auto finish = [&] {
        if (!file.empty()) {
            files.push_back(std::move(file));
            file.clear();
        }
    };
    for (std::size_t i = colon + 2; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\' && i + 1 < text.size() && (text[i + 1] == ' ' || text[i + 1] == '#')) {
            file += text[++i];
        } else if (c == '\\' && i + 1 < text.size() && text[i + 1] == '\n') {
            ++i;
            finish();
        } else if (c == '$' && i + 1 < text.size() && text[i + 1] == '$') {
            file += text[++i];
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            finish();
        } else {
            file += c;
        }
    }
    finish();
    return files;
}

fs::path compile_cpp(const Project& project, const BuildOptions& options, const BuildWorld& world,
                     const fs::path& module) {
    const CppPlan plan = plan_for(project, options, world);
    const auto sources = cpp_files(project);
    if (sources.empty()) {
        throw Error(fmt::format("{} holds no C++ sources", project.directory.string()),
                    "put them into src/");
    }
    // Another command line is another folder of objects.
    std::string flags = plan.compiler;
    for (const auto& flag : plan.compile_flags) {
        flags += ' ' + flag;
    }
    const fs::path objects =
        fs::absolute(project.directory / "build" / "obj" / sha256_hex(flags).substr(0, 12));
    fs::create_directories(objects);

    std::vector<std::string> linked;
    std::vector<fs::path> stale;
    for (const auto& source : sources) {
        const fs::path object = objects / (source.filename().string() + ".o");
        linked.push_back(object.string());
        if (!is_up_to_date(object, objects / (source.filename().string() + ".d"))) {
            stale.push_back(source);
        }
    }
    parallel_for(
        stale.size(),
        [&](std::size_t i) {
            const std::string name = stale[i].filename().string();
            ToolRun run{.argv = {plan.compiler}, .directory = project.directory};
            run.argv.insert(run.argv.end(), plan.compile_flags.begin(), plan.compile_flags.end());
            // The prefix map keeps the folder out of __FILE__ and debug information.
            run.argv.insert(run.argv.end(),
                            {"-ffile-prefix-map=" +
                                 fs::absolute(project.directory).lexically_normal().string() + "=.",
                             "-MMD", "-MF", (objects / (name + ".d")).string(), "-c",
                             stale[i].string(), "-o", (objects / (name + ".o")).string()});
            if (stale[i].extension() == ".c") {
                std::erase(run.argv, "-std=c++20");
                std::erase(run.argv, "-fno-rtti");
            }
            run_tool(run, world);
        },
        world.cancel);

    ToolRun link{.argv = {plan.compiler}, .directory = project.directory};
    link.argv.insert(link.argv.end(), plan.link_flags.begin(), plan.link_flags.end());
    link.argv.insert(link.argv.end(), linked.begin(), linked.end());
    link.argv.insert(link.argv.end(), {"-o", fs::absolute(module).string()});
    run_tool(link, world);
    return module;
}

}  // namespace wasmplug::toolchain
