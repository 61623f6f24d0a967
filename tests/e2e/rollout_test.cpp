// A rollout over forty files in a real git repository, judged by a real Prometheus. The page that
// Prometheus scrapes stands for the cluster: it serves what the files say, and in the third wave
// the new version makes errors.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/process.hpp"
#include "tests/support/fault_server.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

constexpr int waves = 4;
constexpr int files_of_a_wave = 10;

// Debian's prometheus, asking `target` ten times a second.
class Prometheus {
  public:
    explicit Prometheus(const std::string& target) {
        write_file(folder_.path() / "prometheus.yml",
                   "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\nscrape_configs:\n"
                   "- job_name: plugins\n  static_configs: [{targets: [\"" +
                       target + "\"]}]\n");
        ProcessSpec spec;
        spec.argv = {"prometheus", "--config.file=" + (folder_.path() / "prometheus.yml").string(),
                     "--storage.tsdb.path=" + (folder_.path() / "data").string(),
                     "--web.listen-address=127.0.0.1:0"};
        spec.on_stderr = [this](std::string_view text) {
            const std::lock_guard lock(mutex_);
            log_ += text;
        };
        child_.emplace(start_process(spec));
        const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (url_.empty()) {
            const auto ended = child_->ended();
            if (ended || std::chrono::steady_clock::now() > give_up) {
                const std::lock_guard lock(mutex_);
                throw std::runtime_error("prometheus did not start: " + log_);
            }
            look_for_address();
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }

    Prometheus(const Prometheus&) = delete;
    Prometheus& operator=(const Prometheus&) = delete;

    ~Prometheus() { child_.reset(); }  // before the log that its reader thread writes to

    std::string url() const { return url_; }

  private:
    void look_for_address() {
        constexpr std::string_view mark = "msg=\"Listening on\" address=";
        const std::lock_guard lock(mutex_);
        const auto at = log_.find(mark);
        const auto end = at == std::string::npos ? at : log_.find('\n', at);
        if (end != std::string::npos) {
            url_ = "http://" + log_.substr(at + mark.size(), end - at - mark.size());
        }
    }

    TemporaryDirectory folder_;
    std::mutex mutex_;
    std::string log_;
    std::string url_;
    std::optional<Child> child_;
};

std::string file_of(int wave, int number) {
    return fmt::format("deploy/wave-{}/team-{}.yaml", wave, number);
}

std::string manifest(int wave, int number) {
    return fmt::format(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: auth\n"
        "  namespace: team-{}-{}  # who to ask\nspec:\n  url: "
        "'oci://registry.example.com/auth:1.3.{}'\n"
        "  sha256: {}\n  pluginConfig: {{team: {}}}   # theirs\n",
        wave, number, number, std::string(64, 'a'), number);
}

class Rollout : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS_PROGRAM("git");
        WASMPLUG_NEEDS_PROGRAM("curl");
        WASMPLUG_NEEDS_PROGRAM("prometheus");
        for (int wave = 1; wave <= waves; ++wave) {
            for (int i = 0; i < files_of_a_wave; ++i) {
                sandbox_.write(file_of(wave, i), manifest(wave, i));
            }
        }
        page_.emplace([this](const SeenRequest&) { return Answer{.body = metrics()}; });
        prometheus_.emplace(page_->host());
        write_plan();
        ASSERT_EQ(sandbox_
                      .shell("git init -q -b main && git config --global user.name tests && git "
                             "config --global user.email tests@example.invalid && git add -A && "
                             "git commit -q -m 'Declare the plugins'")
                      .exit_code,
                  0);
    }

    // What the workloads of these files would report.
    std::string metrics() const {
        std::string text;
        for (int wave = 1; wave <= waves; ++wave) {
            int changed = 0;
            for (int i = 0; i < files_of_a_wave; ++i) {
                const auto file = read_file_if_there(sandbox_.work() / file_of(wave, i));
                changed +=
                    file && file->find("\n  sha256: " + std::string(64, 'b')) != std::string::npos;
            }
            text += fmt::format(
                "plugins_on_new_version{{wave=\"wave-{0}\"}} {1}\n"
                "plugin_errors_percent{{wave=\"wave-{0}\"}} {2}\n",
                wave, changed, wave == 3 && changed > 0 ? 7.5 : 0.25);
        }
        return text;
    }

    void write_plan() const {
        std::string text = fmt::format(
            "apiVersion: wasmplug.dev/v1alpha1\nkind: RolloutPlan\nmetadata: {{name: "
            "auth}}\nplugin:\n"
            "  url: oci://registry.example.com/auth\n  to: \"1.4.0\"\n  sha256: {0}\n"
            "why: faster keys\ngates:\n- name: synced\n"
            "  command: [sh, wait-for-the-cluster, \"{{{{wave.name}}}}\"]\n- name: errors\n"
            "  prometheus: {{address: \"{1}\"}}\n"
            "  query: max(plugin_errors_percent{{wave=\"{{{{wave.name}}}}\"}})\n"
            "  max: 1\n  interval: 100ms\n  count: 2\nwaves:\n",
            std::string(64, 'b'), prometheus_->url());
        for (int wave = 1; wave <= waves; ++wave) {
            text += fmt::format("- name: wave-{0}\n  targets: [{{file: \"deploy/wave-{0}/*\"}}]\n",
                                wave);
        }
        sandbox_.write("auth.rollout.yaml", text);
        // What a cluster's own tool would tell: that it has the change, and Prometheus too.
        sandbox_.write("wait-for-the-cluster",
                       fmt::format("for i in $(seq 300); do\n"
                                   "  curl -s -G {}/api/v1/query --data-urlencode "
                                   "\"query=plugins_on_new_version{{wave=\\\"$1\\\"}}\" |\n"
                                   "    grep -q '\"{}\"\\]' && exit 0\n  sleep 0.1\ndone\nexit 1\n",
                                   prometheus_->url(), files_of_a_wave));
    }

    Sandbox sandbox_;
    std::optional<FaultServer> page_;
    std::optional<Prometheus> prometheus_;
};

// The lines that are not the ledger's.
std::string without_ledger(const std::string& text) {
    std::string kept;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        const std::string line = text.substr(at, end - at + 1);
        if (line.find("wasmplug.dev/") == std::string::npos && line != "  annotations:\n") {
            kept += line;
        }
        at = end + 1;
    }
    return kept;
}

TEST_F(Rollout, GoesBackInReverseWhenTheThirdWaveMakesErrors) {
    const auto result = sandbox_.run({"rollout", "run", "auth.rollout.yaml", "--commit"});
    EXPECT_EQ(result.exit_code, 3) << result.err;
    EXPECT_NE(result.err.find("max(plugin_errors_percent{wave=\"wave-3\"})"), std::string::npos)
        << "the query as it was asked";
    EXPECT_NE(result.err.find("7.5 > 1"), std::string::npos) << "and what it measured";

    for (int wave = 1; wave <= waves; ++wave) {
        for (int i = 0; i < files_of_a_wave; ++i) {
            const std::string now = sandbox_.read(file_of(wave, i));
            EXPECT_EQ(wave == waves ? now : without_ledger(now), manifest(wave, i));
        }
    }
    EXPECT_EQ(sandbox_.run_program({"git", "log", "--reverse", "--format=%s"}).out,
              "Declare the plugins\n"
              "Roll out auth 1.4.0: wave 1/4 wave-1\n"
              "Roll out auth 1.4.0: wave 1/4 wave-1 passed\n"
              "Roll out auth 1.4.0: wave 2/4 wave-2\n"
              "Roll out auth 1.4.0: wave 2/4 wave-2 passed\n"
              "Roll out auth 1.4.0: wave 3/4 wave-3\n"
              "Roll out auth 1.4.0: wave 3/4 wave-3 failed\n"
              "Roll back auth 1.4.0: wave wave-3\n"
              "Roll back auth 1.4.0: wave wave-2\n"
              "Roll back auth 1.4.0: wave wave-1\n");
    EXPECT_EQ(sandbox_.run_program({"git", "status", "--porcelain", "-uno"}).out, "")
        << "what the gates said is in the commits too";

    const auto status = sandbox_.json({"rollout", "status", "auth.rollout.yaml"});
    std::vector<std::string> states;
    for (const auto& wave : status.at("waves")) {
        states.push_back(wave.at("state"));
    }
    EXPECT_EQ(states,
              (std::vector<std::string>{"rolled back", "rolled back", "rolled back", "pending"}));
    const auto again = sandbox_.run({"rollout", "run", "auth.rollout.yaml"});
    EXPECT_EQ(again.exit_code, 3) << "nobody tries the same version twice";
}

TEST_F(Rollout, IsToldByTheHistoryOfEachFile) {
    ASSERT_EQ(sandbox_.run({"rollout", "run", "auth.rollout.yaml", "--commit"}).exit_code, 3);
    const auto ledger = sandbox_.json({"history", file_of(3, 4)});
    const auto& rows = ledger.at("revisions");
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].at("version"), "1.3.4");
    EXPECT_EQ(rows[1].at("version"), "1.4.0");
    EXPECT_EQ(rows[1].at("why"), "faster keys");
    EXPECT_EQ(rows[1].at("status"), "bad");
    EXPECT_NE(rows[1].at("bad").get<std::string>().find("7.5 > 1"), std::string::npos);
    EXPECT_EQ(rows[2].at("rollbackOf"), 1);
    EXPECT_EQ(rows[2].at("status"), "current");

    const auto git = sandbox_.json({"history", file_of(3, 4), "--source", "git"});
    ASSERT_EQ(git.at("revisions").size(), 3U);
    EXPECT_EQ(git.at("revisions")[1].at("why"), "Roll out auth 1.4.0: wave 3/4 wave-3");
    EXPECT_EQ(git.at("revisions")[2].at("rollbackOf"), 1);
}

}  // namespace
}  // namespace wasmplug::test
