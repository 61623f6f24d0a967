// Rollouts that are killed, that cannot be undone, that wait for a person, and over targets that
// can remember nothing themselves.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>

#include <nlohmann/json.hpp>

#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

constexpr int waves = 3;
constexpr int files_of_a_wave = 3;

const std::string old_digest(64, 'a');
const std::string new_digest(64, 'b');

std::string file_of(int wave, int number) {
    return fmt::format("deploy/wave-{}/team-{}.yaml", wave, number);
}

// Of the waves of plan.yaml, in order.
std::vector<std::string> states(Sandbox& sandbox) {
    std::vector<std::string> all;
    const auto status = sandbox.json({"rollout", "status", "plan.yaml"});
    for (const auto& wave : status.at("waves")) {
        all.push_back(wave.at("state"));
    }
    return all;
}

class SmallRollout : public testing::Test {
  protected:
    void SetUp() override {
        for (int wave = 1; wave <= waves; ++wave) {
            for (int i = 0; i < files_of_a_wave; ++i) {
                sandbox_.write(file_of(wave, i),
                               fmt::format("apiVersion: extensions.istio.io/v1alpha1\n"
                                           "kind: WasmPlugin\nmetadata:\n  name: auth\n"
                                           "  namespace: team-{}-{}\nspec:\n"
                                           "  url: oci://r.example/auth:1.3.0\n  sha256: {}\n",
                                           wave, i, old_digest));
            }
        }
    }

    // A gate for every wave: these lines of sh, with the wave's name as $1.
    void write_plan(const std::string& script, const std::string& more = "") {
        sandbox_.write("gate", script);
        std::string text = fmt::format(
            "apiVersion: wasmplug.dev/v1alpha1\nkind: RolloutPlan\nmetadata: {{name: auth}}\n"
            "plugin:\n  url: oci://r.example/auth\n  to: \"1.4.0\"\n  sha256: {}\n"
            "gates:\n- name: check\n  command: [sh, gate, \"{{{{wave.name}}}}\"]\n{}waves:\n",
            new_digest, more);
        for (int wave = 1; wave <= waves; ++wave) {
            text += fmt::format("- name: wave-{0}\n  targets: [{{file: \"deploy/wave-{0}/*\"}}]\n",
                                wave);
        }
        sandbox_.write("plan.yaml", text);
    }

    int changed_files() const {
        int changed = 0;
        for (int wave = 1; wave <= waves; ++wave) {
            for (int i = 0; i < files_of_a_wave; ++i) {
                changed += sandbox_.read(file_of(wave, i)).find("\n  sha256: " + new_digest) !=
                           std::string::npos;
            }
        }
        return changed;
    }

    using States = std::vector<std::string>;
    Sandbox sandbox_;
};

TEST_F(SmallRollout, KilledAtAGateItGoesOnWhereItStood) {
    write_plan(
        "[ \"$1\" = wave-2 ] && [ ! -e killed ] && { touch killed; kill -9 $PPID; }\n"
        "echo \"$1\" >>asked\n");
    EXPECT_EQ(sandbox_.run({"rollout", "run", "plan.yaml"}).exit_code, 128 + SIGKILL);
    EXPECT_EQ(states(sandbox_), (States{"passed", "changed", "pending"}));
    EXPECT_EQ(changed_files(), 2 * files_of_a_wave);
    const auto again = sandbox_.run({"rollout", "run", "plan.yaml"});
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(states(sandbox_), (States{"passed", "passed", "passed"}));
    EXPECT_NE(sandbox_.read("asked").find("wave-2\nwave-3\n"), std::string::npos)
        << "the gate of the wave before is not asked again: " << sandbox_.read("asked");
}

TEST_F(SmallRollout, KilledAmidTheFilesOfAWaveItGoesOnWithTheRest) {
    WASMPLUG_NEEDS_PROGRAM("strace");
    write_plan("exit 0\n");
    // Two of the second wave: three files and what their gate said went before.
    const auto killed = sandbox_.run_program(
        {"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=rename", "-e",
         "inject=rename:signal=KILL:when=6", "wasmplug", "rollout", "run", "plan.yaml"});
    ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << killed.err;
    EXPECT_EQ(states(sandbox_), (States{"passed", "partial", "pending"}));
    const auto again = sandbox_.run({"rollout", "run", "plan.yaml"});
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(changed_files(), waves * files_of_a_wave);
    for (int i = 0; i < files_of_a_wave; ++i) {
        EXPECT_EQ(sandbox_.json({"history", file_of(2, i)}).at("revisions").size(), 2U);
    }
}

TEST_F(SmallRollout, EndsWithSixWhenTheWayBackFailsAndSaysWhere) {
    // Somebody takes the history of one file away while its wave is being judged.
    write_plan(
        "[ \"$1\" = wave-2 ] || exit 0\n"
        "sed -i -e '/wasmplug.dev/d' -e '/annotations:/d' deploy/wave-1/team-1.yaml\n"
        "exit 1\n");
    const auto result = sandbox_.run({"rollout", "run", "plan.yaml"});
    EXPECT_EQ(result.exit_code, 6) << result.err;
    EXPECT_NE(result.err.find("deploy/wave-1/team-1.yaml"), std::string::npos) << result.err;
    EXPECT_EQ(states(sandbox_)[1], "rolled back") << "the others went back";
    EXPECT_NE(states(sandbox_)[0], "pending");
    EXPECT_EQ(changed_files(), files_of_a_wave) << "a wave goes back as a whole or not";
}

TEST_F(SmallRollout, AGateOfCountZeroIsMeasuredUntilAPersonPromotes) {
    write_plan("echo \"$1\" >>asked\n", "  count: 0\n  interval: 20ms\n");
    auto running = std::async(std::launch::async, [this] {
        return sandbox_.run({"rollout", "run", "plan.yaml"});
    });
    Sandbox other;
    const auto plan = (sandbox_.work() / "plan.yaml").string();
    for (int wave = 1; wave <= waves; ++wave) {
        const std::string name = fmt::format("wave-{}", wave);
        // Asked a second time: once was not enough.
        const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!(sandbox_.exists("asked") &&
                 sandbox_.read("asked").find(name + "\n" + name) != std::string::npos) &&
               std::chrono::steady_clock::now() < give_up) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        EXPECT_EQ(other.run({"rollout", "promote", plan, "--wave", name}).exit_code, 0);
    }
    const auto result = running.get();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(states(sandbox_), (States{"passed", "passed", "passed"}));
}

TEST_F(SmallRollout, AskedOnceAGateOfCountZeroWaitsForAPerson) {
    write_plan("exit 0\n", "  count: 0\n");
    ASSERT_EQ(sandbox_.run({"rollout", "next", "plan.yaml"}).exit_code, 0);
    const auto gate = sandbox_.run({"rollout", "gate", "plan.yaml", "--wave", "wave-1"});
    EXPECT_EQ(gate.exit_code, 4) << gate.err;
    EXPECT_EQ(states(sandbox_), (States{"waiting", "pending", "pending"}));
    ASSERT_EQ(sandbox_.run({"rollout", "promote", "plan.yaml"}).exit_code, 0);
    EXPECT_EQ(states(sandbox_), (States{"passed", "pending", "pending"}));
}

TEST_F(SmallRollout, DrawsWhereItStands) {
    write_plan("exit 0\n");
    ASSERT_EQ(sandbox_.run({"rollout", "next", "plan.yaml"}).exit_code, 0);
    const auto svg = sandbox_.run({"rollout", "status", "plan.yaml", "-o", "svg"}).out;
    EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"")) << svg;
    EXPECT_NE(svg.find(">3 of 3<"), std::string::npos);
    EXPECT_NE(svg.find(">pending<"), std::string::npos);
    EXPECT_EQ(
        sandbox_.run({"rollout", "status", "plan.yaml", "--report", "svg=status.svg"}).exit_code,
        0);
    EXPECT_EQ(sandbox_.read("status.svg"), svg);
    const auto mermaid = sandbox_.run({"rollout", "status", "plan.yaml", "-o", "mermaid"}).out;
    EXPECT_NE(mermaid.find("w0 --> w1"), std::string::npos) << mermaid;
}

TEST_F(SmallRollout, RefusesTwoPluginsOfOneFileThatBothRunOnAWorkload) {
    const std::string one =
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: {0}, "
        "namespace: shop}}\nspec:\n  selector: {{matchLabels: {{{1}: web}}}}\n"
        "  url: oci://r.example/auth:1.3.0\n  sha256: {2}\n";
    sandbox_.write("both.yaml", fmt::format(fmt::runtime(one), "a", "app", old_digest) + "---\n" +
                                    fmt::format(fmt::runtime(one), "b", "tier", old_digest));
    write_plan("exit 0\n");
    std::string plan = sandbox_.read("plan.yaml");
    plan.erase(plan.find("waves:"));
    sandbox_.write("plan.yaml", plan +
                                    "waves:\n- name: all\n  targets:\n  - {file: both.yaml, name: "
                                    "shop/a}\n  - {file: both.yaml, name: shop/b}\n");
    const auto result = sandbox_.run({"rollout", "next", "plan.yaml"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("both.yaml (a) and both.yaml (b) are not disjoint"),
              std::string::npos)
        << result.err;

    std::string both = sandbox_.read("both.yaml");
    both.replace(both.find("tier: web"), 9, "app: db");
    sandbox_.write("both.yaml", both);
    ASSERT_EQ(sandbox_.run({"rollout", "run", "plan.yaml"}).exit_code, 0);
    const auto status = sandbox_.json({"rollout", "status", "plan.yaml"});
    EXPECT_EQ(status.at("waves")[0].at("changed"), 2);
    EXPECT_EQ(sandbox_.run({"rollout", "abort", "plan.yaml"}).exit_code, 0);
    EXPECT_EQ(sandbox_.json({"rollout", "status", "plan.yaml"}).at("waves")[0].at("changed"), 0);
}

class CommittedRollout : public SmallRollout {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS_PROGRAM("git");
        SmallRollout::SetUp();
        write_plan("exit 0\n");
        shell(
            "git init -q -b main && git config user.name tests && git config user.email "
            "tests@example.invalid && git add -A && git commit -q -m 'Declare the plugins'");
    }

    std::string shell(const std::string& script) {
        const auto result = sandbox_.shell(script);
        EXPECT_EQ(result.exit_code, 0) << script << result.err;
        return result.out;
    }

    std::string newest() { return shell("git log -1 --format=%s"); }
};

TEST_F(CommittedRollout, EveryStepThatWritesCanCommitAndElseSaysTheMessage) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> steps{
        {{"next"}, "Roll out auth 1.4.0: wave 1/3 wave-1"},
        {{"pause"}, "Roll out auth 1.4.0: wave 1/3 wave-1 paused"},
        {{"resume"}, "Roll out auth 1.4.0: wave 1/3 wave-1 resumed"},
        {{"gate", "--wave", "wave-1"}, "Roll out auth 1.4.0: wave 1/3 wave-1 passed"},
        {{"promote", "--wave", "wave-1"}, "Roll out auth 1.4.0: wave 1/3 wave-1 promoted"},
        {{"abort"}, "Roll back auth 1.4.0: wave wave-1"}};
    for (const auto& [words, message] : steps) {
        std::vector<std::string> all{"rollout", words[0], "plan.yaml"};
        all.insert(all.end(), words.begin() + 1, words.end());
        const auto said = sandbox_.run(all);
        EXPECT_EQ(said.exit_code, 0) << words[0] << said.err;
        EXPECT_NE(said.err.find("commit message: " + message + "\n"), std::string::npos)
            << said.err;
        EXPECT_NE(said.err.find("deploy/wave-1/team-0.yaml"), std::string::npos) << said.err;
        EXPECT_NE(newest(), message + "\n");
        shell("git checkout -q deploy plan.yaml");
        all.emplace_back("--commit");
        const auto committed = sandbox_.run(all);
        EXPECT_EQ(committed.exit_code, 0) << words[0] << committed.err;
        EXPECT_EQ(newest(), message + "\n");
        EXPECT_EQ(shell("git status --porcelain -uno"), "") << words[0];
    }
    EXPECT_EQ(states(sandbox_)[0], "rolled back");
}

TEST_F(CommittedRollout, LeavesChangesThatAreNotItsOwnOutOfACommit) {
    const std::string file = file_of(1, 0);
    sandbox_.write(file, sandbox_.read(file) + "# mine\n");
    const std::string mine = sandbox_.read(file);
    const auto refused = sandbox_.run({"rollout", "next", "plan.yaml", "--commit"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find(file + " has changes that are not committed"), std::string::npos)
        << refused.err;
    EXPECT_EQ(sandbox_.read(file), mine);
    EXPECT_EQ(changed_files(), 0);
    // What is staged elsewhere stays staged, and out of it.
    shell("git checkout -q deploy && echo x >other && git add other");
    ASSERT_EQ(sandbox_.run({"rollout", "next", "plan.yaml", "--commit"}).exit_code, 0);
    EXPECT_EQ(shell("git status --porcelain -uno"), "A  other\n");
}

TEST_F(CommittedRollout, CommitsAPersonsOwnEditsInNoStep) {
    const std::string file = file_of(1, 0);
    ASSERT_EQ(sandbox_.run({"rollout", "next", "plan.yaml", "--commit"}).exit_code, 0);
    sandbox_.write(file, sandbox_.read(file) + "# mine\n");
    const std::string mine = sandbox_.read(file);
    const std::string commit = shell("git rev-parse HEAD");
    for (const std::string step : {"pause", "resume", "gate", "promote", "run", "abort"}) {
        const auto refused = sandbox_.run({"rollout", step, "plan.yaml", "--commit"});
        EXPECT_EQ(refused.exit_code, 1) << step << refused.err;
        EXPECT_NE(refused.err.find(file + " has changes that are not committed"), std::string::npos)
            << step << refused.err;
        EXPECT_EQ(sandbox_.read(file), mine) << step;
        EXPECT_EQ(shell("git rev-parse HEAD"), commit) << step;
    }
    // Nor what was written while the gates were asked.
    sandbox_.write("gate", "echo '# mine' >>" + file + "\nexit 1\n");
    shell("git checkout -q deploy");
    const auto late = sandbox_.run({"rollout", "run", "plan.yaml", "--commit"});
    EXPECT_EQ(late.exit_code, 1) << late.err;
    EXPECT_EQ(shell("git rev-parse HEAD"), commit);
}

TEST_F(CommittedRollout, CommitsTheFileThatALinkLeadsTo) {
    const std::string file = file_of(1, 0);
    shell("mkdir base && mv " + file + " base/auth.yaml && ln -s ../../base/auth.yaml " + file +
          " && git add -A && git commit -q -m 'Share it'");
    const std::string before = sandbox_.read("base/auth.yaml");
    sandbox_.write("base/auth.yaml", before + "# mine\n");
    const auto refused = sandbox_.run({"rollout", "next", "plan.yaml", "--commit"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("base/auth.yaml has changes that are not committed"),
              std::string::npos)
        << refused.err;
    EXPECT_EQ(sandbox_.read("base/auth.yaml"), before + "# mine\n");
    shell("git checkout -q base");
    const auto committed = sandbox_.run({"rollout", "next", "plan.yaml", "--commit"});
    EXPECT_EQ(committed.exit_code, 0) << committed.err;
    EXPECT_EQ(shell("git status --porcelain -uno"), "");
    EXPECT_NE(sandbox_.read("base/auth.yaml"), before);
}

TEST_F(CommittedRollout, FindsItsWorkTreeFromTheFilesInAHookToo) {
    sandbox_.set("GIT_DIR", ".git");
    const auto committed = sandbox_.run({"rollout", "next", "plan.yaml", "--commit"});
    EXPECT_EQ(committed.exit_code, 0) << committed.err;
    EXPECT_EQ(newest(), "Roll out auth 1.4.0: wave 1/3 wave-1\n");
}

TEST_F(CommittedRollout, LooksAtAllReportsBeforeItWritesOne) {
    for (const std::string wrong : {"svg=", "svg", "html=b", "=b"}) {
        const auto refused = sandbox_.run(
            {"rollout", "status", "plan.yaml", "--report", "svg=a.svg", "--report", wrong});
        EXPECT_EQ(refused.exit_code, 2) << wrong << refused.err;
        EXPECT_NE(refused.err.find("hint: "), std::string::npos) << refused.err;
        EXPECT_FALSE(sandbox_.exists("a.svg"));
    }
}

TEST_F(CommittedRollout, NeedsAWorkTreeForACommitAndSaysSo) {
    shell("rm -rf .git");
    const auto refused = sandbox_.run({"rollout", "next", "plan.yaml", "--commit"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("not a git repository"), std::string::npos) << refused.err;
    EXPECT_EQ(changed_files(), 0);
}

TEST_F(SmallRollout, AGateThatDoesNotPassHasNoTick) {
    write_plan("exit 75\n");
    ASSERT_EQ(sandbox_.run({"rollout", "next", "plan.yaml"}).exit_code, 0);
    const auto gate = sandbox_.run({"rollout", "gate", "plan.yaml"});
    EXPECT_EQ(gate.exit_code, 4);
    EXPECT_NE(gate.err.find("note: gate check: command sh gate wave-1 is exit 75\n"),
              std::string::npos)
        << gate.err;
}

class ValuesRollout : public testing::Test {
  protected:
    void SetUp() override {
        WASMPLUG_NEEDS_PROGRAM("git");
        for (const char* place : {"dev", "prod"}) {
            sandbox_.write(std::string(place) + "/values.yaml", before());
        }
        sandbox_.write("plan.yaml",
                       fmt::format("apiVersion: wasmplug.dev/v1alpha1\nkind: RolloutPlan\n"
                                   "plugin: {{url: oci://r.example/auth, to: 1.4.0, sha256: {}}}\n"
                                   "gates:\n- {{name: check, command: [sh, gate, "
                                   "\"{{{{wave.name}}}}\"]}}\nwaves:\n"
                                   "- {{name: dev, targets: [{{file: dev/values.yaml, path: "
                                   "wasm.image.tag}}]}}\n"
                                   "- {{name: prod, targets: [{{file: prod/values.yaml, path: "
                                   "wasm.image.tag}}]}}\n",
                                   new_digest));
        ASSERT_EQ(sandbox_
                      .shell("git init -q -b main && git config user.name tests && git config "
                             "user.email tests@example.invalid && git add -A && git commit -q -m "
                             "'Declare the values'")
                      .exit_code,
                  0);
    }

    static std::string before() {
        return "# of the chart\nwasm:\n  image:\n    repository: r.example/auth  # ours\n"
               "    tag: \"1.3.0\"\n    digest: sha256:" +
               old_digest + "\n";
    }

    Sandbox sandbox_;
};

TEST_F(ValuesRollout, IsRememberedInThePlan) {
    sandbox_.write("gate", "exit 0\n");
    const auto result = sandbox_.run({"rollout", "run", "plan.yaml", "--commit"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(states(sandbox_), (std::vector<std::string>{"passed", "passed"}));
    std::string after = before();
    after.replace(after.find("1.3.0"), 5, "1.4.0");
    after.replace(after.find(old_digest), 64, new_digest);
    EXPECT_EQ(sandbox_.read("prod/values.yaml"), after);
    EXPECT_NE(sandbox_.read("plan.yaml").find("wasmplug.dev/rollout.prod"), std::string::npos);
    EXPECT_EQ(sandbox_.run_program({"git", "status", "--porcelain", "-uno"}).out, "");
}

TEST_F(ValuesRollout, GoesBackByGitAndIsNotTriedAgain) {
    sandbox_.write("gate", "[ \"$1\" = dev ]\n");
    const auto result = sandbox_.run({"rollout", "run", "plan.yaml", "--commit"});
    EXPECT_EQ(result.exit_code, 3) << result.err;
    EXPECT_EQ(sandbox_.read("dev/values.yaml"), before());
    EXPECT_EQ(sandbox_.read("prod/values.yaml"), before());
    EXPECT_EQ(states(sandbox_), (std::vector<std::string>{"rolled back", "rolled back"}));
    EXPECT_EQ(sandbox_.run({"rollout", "run", "plan.yaml"}).exit_code, 3);
}

}  // namespace
}  // namespace wasmplug::test
