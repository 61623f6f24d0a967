#include "toolchain/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "toolchain/compile_cpp.hpp"
#include "toolchain/messages.hpp"

namespace wasmplug::toolchain {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds probe_limit{30};
constexpr std::pair oldest_go{1, 24};
constexpr int oldest_node = 18;

struct Answer {
    bool ran = false;
    int exit_code = 0;
    std::string out;
    std::string err;
};

Answer ask(const BuildWorld& world, std::vector<std::string> argv, std::string input = {},
           const fs::path& directory = {},
           std::vector<std::pair<std::string, std::optional<std::string>>> env = {}) {
    if (!first_program({argv[0]}, world.environment)) {
        return {};
    }
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.input = std::move(input);
    spec.directory = directory;
    spec.env = std::move(env);
    spec.timeout = probe_limit;
    const ProcessResult result = world.spawn(spec, world.cancel);
    return {true, result.exit_code, result.out, result.err};
}

// The line that says what went wrong: an error, before its backtrace, else the last.
std::string telling_line(const std::string& text) {
    const std::string lines = "\n" + text;
    if (const auto at = lines.find("\nerror"); at != std::string::npos) {
        return first_line(lines.substr(at + 1));
    }
    const auto end = lines.find_last_not_of('\n') + 1;
    return end == 0 ? "" : first_line(lines.substr(lines.rfind('\n', end - 1) + 1));
}

// A tool that only has to be there and answer.
Check check_program(const BuildWorld& world, std::string id, std::string title,
                    std::vector<std::string> argv, std::string mend) {
    Check check{.id = std::move(id), .title = std::move(title)};
    const std::string program = argv[0];
    const Answer answer = ask(world, std::move(argv));
    check.ok = answer.ran && answer.exit_code == 0;
    if (check.ok) {
        check.found = first_line(answer.out);
    } else {
        check.problem = answer.ran ? fmt::format("{} ended with {}: {}", program, answer.exit_code,
                                                 telling_line(answer.err))
                                   : fmt::format("{} is not installed, or not on PATH", program);
        check.mend = std::move(mend);
    }
    return check;
}

// A compilation of nothing: what the compiler says decides.
void judge_probe(Check& check, const Answer& answer, const BuildWorld& world) {
    check.ok = answer.ran && answer.exit_code == 0;
    if (check.ok) {
        return;
    }
    const std::string said = answer.err + answer.out;
    if (const KnownMessage* known = recognise(said)) {
        check.problem = known->meaning;
        check.mend = mend_for(*known, said, world.environment);
    } else {
        check.problem = telling_line(said);
    }
}

std::vector<Check> check_rust(const BuildWorld& world) {
    const std::string install = install_hint(Language::rust);
    std::vector<Check> checks{
        check_program(world, "rust-cargo", "cargo", {"cargo", "--version"}, install)};
    const std::string rustc = world.environment("RUSTC").value_or("rustc");
    checks.push_back(check_program(world, "rust-compiler", "rustc", {rustc, "--version"}, install));
    if (!checks.back().ok) {
        return checks;
    }
    Check target{.id = "rust-target", .title = "Rust's wasm32-unknown-unknown"};
    if (const auto built = world.environment("CARGO_UNSTABLE_BUILD_STD")) {
        target.ok = true;
        target.found = "built from source (CARGO_UNSTABLE_BUILD_STD=" + *built + ")";
    } else {
        const TemporaryDirectory folder;
        std::vector<std::string> argv{rustc,
                                      "--target",
                                      "wasm32-unknown-unknown",
                                      "--crate-type",
                                      "cdylib",
                                      "--crate-name",
                                      "probe",
                                      "-o",
                                      (folder.path() / "probe.wasm").string(),
                                      "-"};
        if (const auto linker = world.environment("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER")) {
            argv.insert(argv.end(), {"-C", "linker=" + *linker});
        }
        judge_probe(target, ask(world, std::move(argv)), world);
        if (target.ok) {
            target.found = "installed";
        }
    }
    checks.push_back(std::move(target));
    return checks;
}

// "go1.24.3" or "1.24" as numbers that compare; {0, 0} for anything else.
std::pair<int, int> go_version(std::string_view text) {
    if (text.starts_with("go")) {
        text.remove_prefix(2);
    }
    int major = 0;
    int minor = 0;
    const char* end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, major);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.' ||
        std::from_chars(first.ptr + 1, end, minor).ec != std::errc()) {
        return {0, 0};
    }
    return {major, minor};
}

// The version that go.mod asks for.
std::pair<int, int> wanted_go(const Project& project) {
    const auto text = read_file_if_there(project.directory / "go.mod");
    if (!text) {
        return {};
    }
    const auto at = ("\n" + *text).find("\ngo ");
    return at == std::string::npos ? std::pair<int, int>{} : go_version(text->substr(at + 3));
}

std::vector<Check> check_go(const std::vector<Project>& projects, const BuildWorld& world) {
    Check check = check_program(world, "go", "Go", {"go", "version"}, install_hint(Language::go));
    if (check.ok) {
        const auto at = check.found.find("go1.");
        const auto have = go_version(at == std::string::npos ? "" : check.found.substr(at));
        std::pair<int, int> want = oldest_go;
        for (const auto& project : projects) {
            if (project.language == Language::go) {
                want = std::max(want, wanted_go(project));
            }
        }
        check.ok = have >= want;
        if (!check.ok) {
            check.problem = fmt::format("Go {}.{} is too old: {} {}.{}", have.first, have.second,
                                        want == oldest_go ? "plugins need" : "go.mod asks for",
                                        want.first, want.second);
            check.mend =
                fmt::format("go install golang.org/dl/go{}.{}.0@latest", want.first, want.second);
        }
    }
    return {check};
}

std::vector<Check> check_cpp(const std::vector<Project>& projects, const BuildWorld& world) {
    Check compiler{.id = "cpp-compiler", .title = "clang++"};
    const auto clang = first_program(clang_names(world.environment), world.environment);
    if (!clang) {
        compiler.problem = "clang++ is not installed, or not on PATH";
        compiler.mend = install_hint(Language::cpp);
        return {compiler};
    }
    compiler = check_program(world, compiler.id, *clang, {*clang, "--version"},
                             install_hint(Language::cpp));
    std::vector<Check> checks{compiler};
    const TemporaryDirectory folder;
    const std::string out = (folder.path() / "probe.wasm").string();
    Check bare{.id = "cpp-wasm32", .title = "WebAssembly by clang and lld"};
    judge_probe(bare,
                ask(world, {*clang, "--target=wasm32", "-nostdlib", "-Wl,--no-entry", "-x", "c++",
                            "-", "-o", out}),
                world);
    if (bare.ok) {
        bare.found = "compiles and links";
    }
    checks.push_back(std::move(bare));
    const bool wasi = std::any_of(projects.begin(), projects.end(), [](const Project& project) {
        return project.language == Language::cpp && cpp_target(project) != "wasm32";
    });
    if (wasi) {
        Check library{.id = "cpp-wasi", .title = "C and C++ libraries for WASI"};
        judge_probe(library,
                    ask(world,
                        {*clang, "--target=wasm32-wasi", "-mexec-model=reactor", "-fno-exceptions",
                         "-x", "c++", "-", "-o", out},
                        "#include <string>\nstd::string s;\n"),
                    world);
        if (library.ok) {
            library.found = "compiles and links";
        }
        checks.push_back(std::move(library));
    }
    return checks;
}

std::vector<Check> check_assemblyscript(const std::vector<Project>& projects,
                                        const BuildWorld& world) {
    const std::string install = install_hint(Language::assemblyscript);
    Check node = check_program(world, "node", "Node.js", {"node", "--version"}, install);
    if (node.ok) {
        int major = 0;
        const std::string digits = node.found.substr(std::min<std::size_t>(1, node.found.size()));
        std::from_chars(digits.data(), digits.data() + digits.size(), major);
        if (major < oldest_node) {
            node.ok = false;
            node.problem =
                fmt::format("Node.js {} is too old: AssemblyScript needs {}", major, oldest_node);
            node.mend = install;
        }
    }
    std::vector<Check> checks{
        node, check_program(world, "npm", "npm", {"npm", "--version"}, "apt-get install npm")};
    for (const auto& project : projects) {
        if (project.language == Language::assemblyscript) {
            Check asc{.id = "asc", .title = "AssemblyScript in " + project.directory.string()};
            const fs::path found = find_asc(project.directory);
            asc.ok = !found.empty();
            asc.found = found.string();
            if (!asc.ok) {
                asc.problem = "the project's dependencies are not installed";
                asc.mend = "npm --prefix " + project.directory.string() + " install";
            }
            checks.push_back(std::move(asc));
        }
    }
    return checks;
}

bool uses(const std::vector<Project>& projects, Language language) {
    return std::any_of(projects.begin(), projects.end(),
                       [&](const Project& project) { return project.language == language; });
}

}  // namespace

std::vector<Check> check_toolchains(const std::vector<Project>& projects, const BuildWorld& world) {
    const std::pair<Language, std::vector<Check>> toolchains[] = {
        {Language::rust, check_rust(world)},
        {Language::go, check_go(projects, world)},
        {Language::cpp, check_cpp(projects, world)},
        {Language::assemblyscript, check_assemblyscript(projects, world)},
    };
    std::vector<Check> all;
    std::string whole;
    for (const auto& [language, checks] : toolchains) {
        const bool needed = uses(projects, language);
        bool complete = true;
        for (Check check : checks) {
            complete = complete && check.ok;
            check.needed = needed;
            check.relevant = needed || projects.empty();
            all.push_back(std::move(check));
        }
        if (complete) {
            whole += (whole.empty() ? "" : ", ") + std::string(to_text(language));
        }
    }
    if (projects.empty()) {
        Check any{
            .id = "toolchain", .title = "a whole tool chain", .ok = !whole.empty(), .needed = true};
        any.found = whole;
        if (!any.ok) {
            any.problem = "no language can be built here";
            any.mend = install_hint(Language::cpp);
        }
        all.push_back(std::move(any));
    }
    Check optimiser = check_program(world, "wasm-opt", "wasm-opt", {"wasm-opt", "--version"},
                                    "apt-get install binaryen");
    if (!optimiser.ok) {
        optimiser.problem += "; modules stay 15 % larger";
    }
    all.push_back(std::move(optimiser));
    return all;
}

}  // namespace wasmplug::toolchain
