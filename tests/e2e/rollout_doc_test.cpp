// docs/rollout.md: its plan is a plan, and every command line in it does what it says.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "tests/support/fault_server.hpp"
#include "tests/support/require.hpp"
#include "tests/support/sandbox.hpp"

namespace wasmplug::test {
namespace {

std::string document() {
    return read_file(WASMPLUG_SOURCE_DIR "/docs/rollout.md");
}

// The first fenced block that begins with `fence`.
std::string block_of(const std::string& text, const std::string& fence) {
    const auto begin = text.find(fence + "\n") + fence.size() + 1;
    return text.substr(begin, text.find("```", begin) - begin);
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

void put(std::string& text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
}

TEST(RolloutDoc, EveryCommandLineOfItIsRunOnItsOwnPlan) {
    WASMPLUG_NEEDS_PROGRAM("git");
    const FaultServer prometheus([](const SeenRequest&) {
        return Answer{.body = R"({"status":"success","data":{"resultType":"scalar",)"
                              R"("result":[0,"0.5"]}})"};
    });
    Sandbox sandbox;
    std::string plan = block_of(document(), "```yaml");
    put(plan, "9f2c…", std::string(64, 'b'));
    put(plan, "http://prometheus:9090", "http://" + prometheus.host());
    put(plan, "interval: 30s", "interval: 1ms");
    put(plan, "settle: 60s", "settle: 0s");
    sandbox.write("auth.rollout.yaml", plan);
    sandbox.write("auth.yaml", "mode: strict\n");
    sandbox.write("wait-until-synced", "#!/bin/sh\necho \"$1\" >>asked\n");
    for (const char* place : {"dev", "eu"}) {
        sandbox.write(std::string(place) + "/auth.yaml",
                      "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n"
                      "  name: auth\n  namespace: " +
                          std::string(place) + "\nspec:\n  url: oci://ghcr.io/acme/auth:1.3.0\n");
    }
    const auto before = sandbox.read("eu/auth.yaml");
    ASSERT_EQ(
        sandbox
            .shell("chmod +x wait-until-synced && git init -q -b main && git config user.name "
                   "tests && git config user.email tests@example.invalid && git add -A && "
                   "git commit -q -m Begin")
            .exit_code,
        0);
    // The block whose lines are steps of a pipeline.
    const auto text = document();
    const auto steps = lines_of(block_of(text.substr(text.find("## Steps")), "```"));
    ASSERT_GE(steps.size(), 4U);
    std::size_t commits = 1;
    for (const auto& line : steps) {
        ASSERT_TRUE(line.starts_with("wasmplug rollout ")) << line;
        const auto ran = sandbox.shell(line);
        EXPECT_EQ(ran.exit_code, 0) << line << "\n" << ran.err;
        commits += line.find("--commit") != std::string::npos ? 1U : 0U;
        EXPECT_EQ(sandbox.shell("git rev-list --count HEAD").out, std::to_string(commits) + "\n")
            << line;
    }
    EXPECT_EQ(sandbox.read("asked"), "canary\n");
    EXPECT_EQ(sandbox.json({"rollout", "status", "auth.rollout.yaml"}).at("waves")[0].at("state"),
              "rolled back");
    EXPECT_EQ(sandbox.read("eu/auth.yaml"), before);
}

TEST(RolloutDoc, NamesCommandsAndKeysThatThereAre) {
    Sandbox sandbox;
    const auto text = document();
    const std::regex step("`(?:wasmplug )?rollout ([a-z]+)[^`]*`");
    std::size_t named = 0;
    for (auto at = std::sregex_iterator(text.begin(), text.end(), step);
         at != std::sregex_iterator(); ++at, ++named) {
        EXPECT_EQ(sandbox.run({"rollout", (*at)[1], "--help"}).exit_code, 0) << (*at)[0];
    }
    EXPECT_GE(named, 4U);
    // A key that a gate does not have is refused with a list of those that it has.
    const std::string head =
        "apiVersion: wasmplug.dev/v1alpha1\nkind: RolloutPlan\n"
        "plugin: {url: oci://r.example/a, to: 1, sha256: x}\ngates:\n- {name: g, zzz: 1}\n"
        "waves: [{name: w, targets: [{file: x}]}]\n";
    sandbox.write("plan.yaml", head);
    const auto error = sandbox.run({"rollout", "status", "plan.yaml"}).err;
    const std::string before_keys = "it has ";
    const auto list = error.find(before_keys);
    ASSERT_NE(list, std::string::npos) << error;
    const auto keys_begin = list + before_keys.size();
    const auto keys =
        ", " + error.substr(keys_begin, error.find('\n', keys_begin) - keys_begin) + ", ";
    const auto gates =
        text.substr(text.find("## Gates"), text.find("## Steps") - text.find("## Gates"));
    const std::regex row("\n\\| (`[^|]*) \\|");
    const std::regex word("`([a-zA-Z]+)[^`]*`");
    std::size_t rows = 0;
    for (auto at = std::sregex_iterator(gates.begin(), gates.end(), row);
         at != std::sregex_iterator(); ++at, ++rows) {
        const std::string cell = (*at)[1];
        for (auto key = std::sregex_iterator(cell.begin(), cell.end(), word);
             key != std::sregex_iterator(); ++key) {
            EXPECT_NE(keys.find(", " + (*key)[1].str() + ", "), std::string::npos)
                << (*key)[1] << " is not among " << keys;
        }
    }
    EXPECT_GE(rows, 10U);
}

}  // namespace
}  // namespace wasmplug::test
