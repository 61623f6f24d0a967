#include "tests/support/sandbox.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "tests/support/require.hpp"

extern char** environ;

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

constexpr auto run_limit = std::chrono::minutes(10);
constexpr auto system_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::map<std::string, std::optional<std::string>> clean_environment(const fs::path& root) {
    std::map<std::string, std::optional<std::string>> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text = *entry;
        const std::string name = text.substr(0, text.find('='));
        // What the sanitizers and the coverage build of the binary under test listen to.
        if (name != "ASAN_OPTIONS" && name != "UBSAN_OPTIONS" && !name.starts_with("GCOV_")) {
            environment[name] = std::nullopt;
        }
    }
    const auto home = root / "home";
    environment["HOME"] = home;
    environment["XDG_CONFIG_HOME"] = home / ".config";
    environment["XDG_CACHE_HOME"] = home / ".cache";
    environment["XDG_DATA_HOME"] = home / ".local/share";
    environment["XDG_STATE_HOME"] = home / ".local/state";
    environment["XDG_RUNTIME_DIR"] = root / "run";
    environment["DOCKER_CONFIG"] = home / ".docker";
    environment["KUBECONFIG"] = home / ".kube/config";
    environment["TMPDIR"] = root / "tmp";
    environment["PATH"] = (root / "bin").string() + ":" + system_path;
    environment["LC_ALL"] = "C.UTF-8";
    environment["TZ"] = "UTC";
    environment["TERM"] = "xterm";
    environment["USER"] = "tester";
    environment["GIT_CONFIG_NOSYSTEM"] = "1";
    return environment;
}

std::string quoted(const std::string& word) {
    const bool plain =
        !word.empty() && word.find_first_of(" '\"\\$`*?[]{}()<>|&;#~\n") == std::string::npos;
    if (plain) {
        return word;
    }
    std::string out = "'";
    for (const char c : word) {
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return out + "'";
}

}  // namespace

Sandbox::Sandbox() {
    std::string pattern = (fs::temp_directory_path() / "wasmplug-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
        throw std::runtime_error("cannot make " + pattern);
    }
    root_ = fs::canonical(pattern);
    for (const auto* folder : {"work", "home", "bin", "run", "tmp"}) {
        fs::create_directory(root_ / folder);
    }
    fs::create_symlink(WASMPLUG_BINARY, root_ / "bin/wasmplug");
    environment_ = clean_environment(root_);
}

Sandbox::~Sandbox() {
    if (testing::Test::HasFailure()) {
        std::cerr << transcript_ << "(left in " << root_.string() << ")\n";
        return;
    }
    std::error_code ignored;
    fs::remove_all(root_, ignored);
}

void Sandbox::set(const std::string& name, std::optional<std::string> value) {
    environment_[name] = std::move(value);
}

void Sandbox::add_path(const fs::path& folder) {
    environment_["PATH"] = folder.string() + ":" + environment_["PATH"].value();
}

void Sandbox::add_script(const std::string& name, std::string_view body) {
    const auto path = root_ / "bin" / name;
    write_file(path, "#!/bin/sh\n" + std::string(body), 0755);
}

void Sandbox::write(const fs::path& relative, std::string_view bytes) const {
    const auto path = work() / relative;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
}

std::string Sandbox::read(const fs::path& relative) const {
    return read_file(work() / relative);
}

bool Sandbox::exists(const fs::path& relative) const {
    return fs::exists(work() / relative);
}

std::vector<std::string> Sandbox::files() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(work())) {
        if (!entry.is_directory()) {
            found.push_back(fs::relative(entry.path(), work()).string());
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

ProcessSpec Sandbox::program(std::vector<std::string> argv) const {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.directory = work();
    spec.timeout = run_limit;
    for (const auto& [name, value] : environment_) {
        spec.env.emplace_back(name, value);
    }
    return spec;
}

ProcessSpec Sandbox::spec(const std::vector<std::string>& args) const {
    std::vector<std::string> argv{(root_ / "bin/wasmplug").string()};
    argv.insert(argv.end(), args.begin(), args.end());
    return program(std::move(argv));
}

ProcessResult Sandbox::run_spec(const ProcessSpec& spec) {
    transcript_ += "$";
    for (const auto& word : spec.argv) {
        transcript_ += " " + quoted(word);
    }
    transcript_ += "\n";
    auto result = run_process(spec, Cancel{});
    transcript_ += result.out;
    if (!result.err.empty()) {
        transcript_ += "--- stderr\n" + result.err;
    }
    transcript_ += "--- exit " + std::to_string(result.exit_code) +
                   (result.timed_out ? ", after the time limit\n" : "\n");
    return result;
}

ProcessResult Sandbox::run(const std::vector<std::string>& args, std::string input) {
    auto wasmplug = spec(args);
    wasmplug.input = std::move(input);
    return run_spec(wasmplug);
}

ProcessResult Sandbox::run_program(std::vector<std::string> argv, std::string input) {
    auto any = program(std::move(argv));
    any.input = std::move(input);
    return run_spec(any);
}

ProcessResult Sandbox::shell(const std::string& script) {
    return run_spec(program({"/bin/sh", "-c", script}));
}

ProcessResult Sandbox::run_on_terminal(const std::vector<std::string>& args) {
    std::string line = "wasmplug";
    for (const auto& arg : args) {
        line += " " + quoted(arg);
    }
    return run_spec(program({"/usr/bin/script", "-qec", line, "/dev/null"}));
}

nlohmann::json Sandbox::json(std::vector<std::string> args, int exit_code) {
    args.insert(args.end(), {"-o", "json"});
    const auto result = run(args);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    auto document = nlohmann::json::parse(result.out, nullptr, false);
    EXPECT_FALSE(document.is_discarded()) << "not one JSON document: " << result.out;
    EXPECT_EQ(document.is_object() ? document.value("version", 0) : 0, 1) << result.out;
    return document;
}

bool use_toolchain(Sandbox& sandbox, std::string_view language) {
    // Package clients need what leads them through this machine's network.
    for (const auto* name : {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                             "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
                             "GOPROXY", "GOSUMDB", "GOFLAGS", "npm_config_registry"}) {
        if (const char* value = std::getenv(name)) {
            sandbox.set(name, value);
        }
    }
    const auto cache = cache_folder();
    const auto kept = [&](const char* variable, const char* folder) {
        fs::create_directories(cache / folder);
        sandbox.set(variable, (cache / folder).string());
    };
    if (language == "cpp") {
        return find_program("clang++") && find_program("wasm-ld");
    }
    if (language == "rust") {
        kept("CARGO_HOME", "cargo");
        // One target folder for all, so that std is compiled once.
        kept("CARGO_TARGET_DIR", "cargo-target");
        sandbox.set("RUSTC", "/usr/bin/rustc");
        sandbox.set("RUSTC_BOOTSTRAP", "1");
        sandbox.set("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort");
        sandbox.set("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19");
        return fs::exists("/usr/bin/cargo") && fs::exists("/usr/bin/rustc") &&
               find_program("wasm-ld-19");
    }
    if (language == "go") {
        kept("GOMODCACHE", "go/mod");
        kept("GOCACHE", "go/build");
        sandbox.set("GOTOOLCHAIN", "local");
        const auto go = find_program("go");
        if (go) {
            sandbox.add_path(go->parent_path());
        }
        return go.has_value();
    }
    if (language == "assemblyscript") {
        kept("npm_config_cache", "npm");
        const auto npm = find_program("npm");
        if (npm) {
            sandbox.add_path(npm->parent_path());
        }
        return npm.has_value() && find_program("node");
    }
    return false;
}

}  // namespace wasmplug::test
