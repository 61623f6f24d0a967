#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/process.hpp"

namespace wasmplug::test {

// An empty folder with a home of its own, and an environment that holds nothing of the person
// who runs the tests: HOME, XDG_*, DOCKER_CONFIG, KUBECONFIG point into it, proxies and tokens
// are gone, PATH is the system's. Removed at the end; a failed test leaves it, and prints what
// ran in it.
class Sandbox {
  public:
    Sandbox();
    Sandbox(const Sandbox&) = delete;
    Sandbox& operator=(const Sandbox&) = delete;
    ~Sandbox();

    // Where commands run.
    std::filesystem::path work() const { return root_ / "work"; }

    std::filesystem::path home() const { return root_ / "home"; }

    // For the following runs; nothing unsets.
    void set(const std::string& name, std::optional<std::string> value);
    // A folder searched before the system's.
    void add_path(const std::filesystem::path& folder);
    // An executable shell script `name` that is found before any other program of that name.
    void add_script(const std::string& name, std::string_view body);

    // Below work(), folders made as needed.
    void write(const std::filesystem::path& relative, std::string_view bytes) const;
    std::string read(const std::filesystem::path& relative) const;
    bool exists(const std::filesystem::path& relative) const;
    std::vector<std::string> files() const;  // all of them, relative and sorted

    // The built wasmplug. Every run ends after ten minutes at the latest.
    ProcessResult run(const std::vector<std::string>& args, std::string input = {});
    // Any program of the sandbox's PATH.
    ProcessResult run_program(std::vector<std::string> argv, std::string input = {});
    // Lines for sh, in which `wasmplug` is the built binary.
    ProcessResult shell(const std::string& script);
    // With both output streams on a terminal, which the result's `out` holds.
    ProcessResult run_on_terminal(const std::vector<std::string>& args);
    // With -o json: the one document on stdout. A test failure when it is not one.
    nlohmann::json json(std::vector<std::string> args, int exit_code = 0);

    // The wasmplug process with this environment, for tests that signal it.
    ProcessSpec spec(const std::vector<std::string>& args) const;

  private:
    ProcessSpec program(std::vector<std::string> argv) const;
    ProcessResult run_spec(const ProcessSpec& spec);

    std::filesystem::path root_;
    std::map<std::string, std::optional<std::string>> environment_;
    std::string transcript_;
};

// Adds what the toolchain of `language` ("cpp", "rust", "go", "assemblyscript") needs beside
// PATH: caches that all tests share, the network's settings, and for Rust Debian's compiler with
// a standard library built from source. False when the toolchain is not there.
bool use_toolchain(Sandbox& sandbox, std::string_view language);

}  // namespace wasmplug::test
