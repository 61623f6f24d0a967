// Ctrl-C in the middle of the work: the documented exit code, nothing left behind.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/fd.hpp"
#include "base/file.hpp"
#include "base/process.hpp"
#include "tests/support/becomes.hpp"
#include "tests/support/children.hpp"
#include "tests/support/envoy.hpp"
#include "tests/support/fake_registry.hpp"
#include "tests/support/fault_server.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"
#include "tests/support/script_plugin.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

bool lives(int pid) {
    return ::kill(pid, 0) == 0;
}

class Interrupted : public testing::Test {
  protected:
    void SetUp() override {
        const auto plugin = built_plugin("script");
        WASMPLUG_NEEDS(plugin.has_value(), "clang");
        sandbox_.write("plugin.wasm", read_file(*plugin));
    }

    // Starts wasmplug, waits for `ready`, sends SIGINT once; its exit code.
    std::optional<int> interrupt(const std::vector<std::string>& args,
                                 const std::function<bool(int pid)>& ready) {
        auto spec = sandbox_.spec(args);
        spec.on_stdout = [&](std::string_view text) {
            const std::scoped_lock lock(mutex_);
            out_ += text;
        };
        spec.on_stderr = [&](std::string_view text) {
            const std::scoped_lock lock(mutex_);
            err_ += text;
        };
        Child child = start_process(spec);
        EXPECT_TRUE(becomes([&] { return ready(child.pid()) || child.ended(); }));
        EXPECT_FALSE(child.ended()) << "before it was interrupted: " << said();
        const auto children = children_of(child.pid());
        ::kill(child.pid(), SIGINT);
        EXPECT_TRUE(becomes([&] { return child.ended().has_value(); }));
        for (const int each : children) {
            EXPECT_TRUE(becomes([&] { return !lives(each); })) << "a child outlives it";
        }
        return child.ended();
    }

    std::string said() {
        const std::scoped_lock lock(mutex_);
        return out_ + err_;
    }

    // TMPDIR, beside work().
    bool temporary_files() const { return !fs::is_empty(sandbox_.work().parent_path() / "tmp"); }

    Sandbox sandbox_;
    std::mutex mutex_;
    std::string out_;
    std::string err_;
};

TEST_F(Interrupted, TestEndsItsWorkersAndItself) {
    sandbox_.write("a.test.yaml",
                   "wasmplug: 1\nplugin: {wasm: plugin.wasm, config: \"\"}\ntests:\n"
                   "- name: again and again\n  request: {path: /}\n");
    const auto before = sandbox_.files();
    EXPECT_EQ(interrupt({"test", "--repeat", "100000"},
                        [](int pid) { return !children_of(pid).empty(); }),
              130);
    EXPECT_EQ(out_, "");
    EXPECT_EQ(sandbox_.files(), before);
    EXPECT_FALSE(temporary_files());
}

TEST_F(Interrupted, TestInARealEnvoyEndsThat) {
    WASMPLUG_NEEDS(envoy_binary().has_value(), "envoy");
    sandbox_.set("WASMPLUG_ENVOY", envoy_binary()->string());
    sandbox_.write("a.test.yaml",
                   "wasmplug: 1\nplugin: {wasm: plugin.wasm, config: \"\"}\ntests:\n"
                   "- name: again and again\n  request: {path: /}\n");
    const auto before = sandbox_.files();
    EXPECT_EQ(interrupt({"test", "--engine", "envoy", "--repeat", "100000"},
                        [](int pid) { return !children_of(pid).empty(); }),
              130);
    EXPECT_EQ(out_, "");
    EXPECT_EQ(sandbox_.files(), before);
    EXPECT_FALSE(temporary_files());
}

TEST_F(Interrupted, BenchShowsWhatItMeasured) {
    std::atomic<int> answered = 0;
    const FaultServer server([&](const SeenRequest&) {
        ++answered;
        return Answer{.body = "ok"};
    });
    EXPECT_EQ(interrupt({"bench", "--url", server.url(), "--requests", "10000000", "--report",
                         "html=load.html"},
                        [&](int) { return answered > 100; }),
              130);
    EXPECT_NE(out_.find("stopped before the end"), std::string::npos) << said();
    EXPECT_NE(out_.find("P50"), std::string::npos) << said();
    EXPECT_EQ(sandbox_.files(), (std::vector<std::string>{"load.html", "plugin.wasm"}));
}

TEST_F(Interrupted, RunEndsItsEnvoyAndThatIsTheWayToEndIt) {
    WASMPLUG_NEEDS(envoy_binary().has_value(), "envoy");
    sandbox_.set("WASMPLUG_ENVOY", envoy_binary()->string());
    const auto before = sandbox_.files();
    EXPECT_EQ(interrupt({"run", "plugin.wasm"},
                        [&](int) { return said().find("send requests to") != std::string::npos; }),
              0)
        << said();
    EXPECT_EQ(sandbox_.files(), before);
    EXPECT_FALSE(temporary_files());
}

TEST_F(Interrupted, PushCancelsItsUploadSession) {
    FakeRegistry registry([](const SeenRequest& request) -> std::optional<Answer> {
        if (request.method == "PUT" || request.method == "PATCH") {
            return Answer{.stall = true};
        }
        return std::nullopt;
    });
    const auto before = sandbox_.files();
    EXPECT_EQ(interrupt({"push", "plugin.wasm", registry.host() + "/auth:1"},
                        [&](int) {
                            return registry.count("PUT", "/blobs/uploads/") +
                                       registry.count("PATCH", "/blobs/uploads/") >
                                   0;
                        }),
              130)
        << said();
    EXPECT_GE(registry.count("DELETE", "/blobs/uploads/"), 1);
    EXPECT_EQ(registry.uploads, std::set<std::string>{});
    EXPECT_EQ(out_, "");
    EXPECT_EQ(sandbox_.files(), before);
    EXPECT_FALSE(temporary_files());
}

bool has_open(int pid, const fs::path& path) {
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
        if (fs::read_symlink(entry.path(), gone) == path) {
            return true;
        }
    }
    return false;
}

TEST_F(Interrupted, UpdateDoesNotWaitOnForAnothersLock) {
    sandbox_.write("d/m.yaml",
                   "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
                   "metadata: {name: auth}\nspec: {url: \"oci://r.example/auth:1\"}\n");
    const auto before = sandbox_.read("d/m.yaml");
    const Fd lock(::open((sandbox_.work() / "d").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
    EXPECT_EQ(interrupt({"update", "d/m.yaml", "r.example/auth:2", "--sha256", std::string(64, 'a'),
                         "--offline"},
                        [&](int pid) { return has_open(pid, sandbox_.work() / "d"); }),
              130)
        << said();
    EXPECT_EQ(sandbox_.read("d/m.yaml"), before);
}

TEST_F(Interrupted, PullLeavesNoPartOfAFile) {
    bool stalls = false;
    const std::map<std::string, std::string>* blobs = nullptr;
    FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
        const std::string path = request.path();
        const auto at = path.find("/blobs/sha256:");
        if (!stalls || request.method != "GET" || at == std::string::npos) {
            return std::nullopt;
        }
        const std::string& blob = blobs->at(path.substr(at + 7));
        return Answer{.body = blob, .stall_after = blob.size() / 2};
    });
    blobs = &registry.blobs;
    ASSERT_EQ(sandbox_.run({"push", "plugin.wasm", registry.host() + "/auth:1"}).exit_code, 0);
    stalls = true;
    sandbox_.write("kept.wasm", "as it was");
    const auto before = sandbox_.files();
    EXPECT_EQ(interrupt({"pull", registry.host() + "/auth:1", "kept.wasm"},
                        [&](int) {
                            return registry.count("GET", "/blobs/") > 0 &&
                                   sandbox_.files() != before;
                        }),
              130)
        << said();
    EXPECT_EQ(sandbox_.read("kept.wasm"), "as it was");
    EXPECT_EQ(sandbox_.files(), before);
    EXPECT_FALSE(temporary_files());
}

}  // namespace
}  // namespace wasmplug::test
