// Random histories of whole files: whatever was done in between, the same content is the same
// bytes outside the ledger.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>

#include "base/error.hpp"
#include "base/file.hpp"
#include "release/files.hpp"

namespace wasmplug::release {
namespace {

const std::vector<std::string> shapes{
    // As generated.
    "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: auth\nspec:\n"
    "  url: oci://r.example/auth:0.1.0\n",
    // With everything a person does to a file.
    "# Ask before changing.\n\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n"
    "metadata:\n    name: auth   # short\n    annotations:\n        team: \"x\"   # theirs\n"
    "spec:\n    selector:\n        matchLabels: {app: web}\n\n"
    "    url:   'oci://r.example/auth:0.1.0'   # moved by hand\n    sha256: \"" +
        std::string(64, 'a') +
        "\"\n    pluginConfig:\n        a: [1,   2]   # columns\n        motd: |\n"
        "            two\n            lines\n        # the end\n    phase: AUTHN\n",
    // Lists whose dashes stand as far left as their key, and the line ends of Windows.
    "kind: TrafficExtension\r\napiVersion: extensions.istio.io/v1alpha1\r\nmetadata:\r\n"
    "  annotations:\r\n    a: b\r\n  name: auth\r\nspec:\r\n  phase: AUTHZ\r\n  wasm:\r\n"
    "    url: oci://r.example/auth:0.1.0\r\n    pluginConfig: {rules: [{path: /a}]}\r\n",
    // The second of three documents, with an anchor in another.
    "kind: ConfigMap\napiVersion: v1\nmetadata: &m {name: auth}\n---\n# ours\n"
    "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: auth\n"
    "spec:\n  selector:\n    matchLabels:\n      app: web # the shop\n"
    "  url: \"oci://r.example/\\u0061uth:0.1.0\"\n  pluginConfig:\n    rules:\n    - a\n    - b\n"
    "  imagePullPolicy: Always\n...\n---\nkind: Secret\napiVersion: v1\n",
    // An item of a List.
    "apiVersion: v1\nkind: List\nitems:\n- apiVersion: extensions.istio.io/v1alpha1\n"
    "  kind: WasmPlugin\n  metadata:\n    name: auth\n  spec:\n    selector: {}\n"
    "    url: >-\n      oci://r.example/auth:0.1.0\n- apiVersion: v1\n  kind: Service\n",
    // A text without a last line break, which would belong to the configuration.
    "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: auth\nspec:\n"
    "  url: oci://r.example/auth:0.1.0\n  pluginConfig:\n    motd: |\n      two\n      lines",
};

const std::vector<std::string> configs{"{}",
                                       "mode: strict\n",
                                       "a:\n- 1 # one\n- b: {c: \"d\"}\n",
                                       "{\"x\": 1}",
                                       "text: |\n  two\n  lines\n",
                                       "# nothing but this\nlong: " + std::string(300, 'y') + "\n"};

// Without the lines of the ledger and, where it brought it, the key above them.
std::string outside(const std::string& text, bool had_annotations) {
    std::string kept;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size() - 1);
        const std::string line = text.substr(at, end - at + 1);
        const bool ledger = line.find("wasmplug.dev/re") != std::string::npos ||
                            line.find("wasmplug.dev/disabled: '{") != std::string::npos ||
                            (!had_annotations && line.find(" annotations:") != std::string::npos);
        kept += ledger ? "" : line;
        at = end + 1;
    }
    return kept;
}

class RandomFile {
  public:
    RandomFile(unsigned seed, const std::filesystem::path& folder)
        : random_(seed),
          path_(folder / "plugin.yaml"),
          text_(shapes[seed % shapes.size()]),
          had_annotations_(text_.find("annotations:") != std::string::npos) {
        on_disk_ = !folder.empty();
        if (on_disk_) {
            write_file(path_, text_);
        }
        first_seen_[{0, 0}] = text_;
        line_.push_back(0);
    }

    void step() {
        switch (random_() % 5) {
            case 0:
            case 1:
                return update();
            case 2:
                return roll_back();
            default:
                return flip();
        }
    }

    const std::string& text() const { return text_; }

    std::string journal;  // for the message of a failure

  private:
    std::vector<FileTargets> open() const {
        if (on_disk_) {
            return open_targets(
                {.kind = Target::Kind::file, .path = path_, .resource = {}, .name = {}},
                {.name = "auth", .values_path = {}, .image = {}}, Cancel{});
        }
        return {{path_, locate(yaml::File::parse(text_, path_.string()), {.name = "auth"})}};
    }

    void apply(const std::function<Step(const Located&)>& plan) {
        const auto targets = open();
        ASSERT_EQ(targets.front().targets.size(), 1U);
        const auto files = prepare(targets, plan, Cancel{});
        ASSERT_TRUE(files.front().steps.front().changed) << journal;
        if (on_disk_) {
            write_files({{path_, files.front().before, files.front().after}}, Cancel{});
            text_ = read_file(path_);
            EXPECT_EQ(text_, files.front().after);
        } else {
            text_ = files.front().after;
        }
        const std::string now = outside(text_, had_annotations_);
        const auto [seen, fresh] =
            first_seen_.try_emplace({line_.back(), off_ ? switched_off_ : 0}, now);
        ASSERT_EQ(now, seen->second) << journal << "\n" << text_;
    }

    Recording recording() const {
        Recording how;
        how.limits = {.revisions = 1000, .bytes = 1 << 20};
        how.at = "2024-01-01T00:00:00Z";
        how.by = "tests";
        return how;
    }

    void update() {
        const unsigned next = ++newest_;
        Wanted wanted{.url = fmt::format("oci://r.example/auth:0.2.{}", next),
                      .sha256 = fmt::format("{:064x}", next),
                      .version = fmt::format("0.2.{}", next)};
        const auto choice = random_() % (configs.size() + 3);
        journal += fmt::format("update {} (configuration {})\n", next, choice);
        if (choice < configs.size()) {
            const auto file = yaml::File::parse(configs[choice], "config.yaml");
            const auto* node = &file.single();
            wanted.config = ConfigSource{file, node};
        } else if (choice == configs.size()) {
            wanted.no_config = true;
        } else if (choice == configs.size() + 1) {
            wanted.settings = {parse_setting("pluginConfig.set.here=1", false)};
        }
        line_.push_back(next);
        apply([&](const Located& located) { return plan_update(located, wanted, recording()); });
    }

    void roll_back() {
        journal += "rollback\n";
        const auto plan = [&](const Located& located) {
            return plan_rollback(located, {}, recording(), [] { return std::vector<PastState>{}; });
        };
        if (line_.size() == 1) {
            EXPECT_THROW(prepare(open(), plan, Cancel{}), Error) << journal;
            return;
        }
        line_.pop_back();
        apply(plan);
    }

    void flip() {
        journal += off_ ? "enable\n" : "disable\n";
        off_ = !off_;
        switched_off_ += off_ ? 1 : 0;
        apply([&](const Located& located) { return plan_switch(located, off_, recording()); });
    }

    std::mt19937 random_;
    std::filesystem::path path_;
    std::string text_;
    bool had_annotations_;
    bool on_disk_ = false;
    bool off_ = false;
    unsigned switched_off_ = 0;  // how often
    unsigned newest_ = 0;
    std::vector<unsigned> line_;  // the contents that rollbacks go back through
    // By content and which time of being off it was (0: on): a selector that the switch adds
    // stands after what the object has then.
    std::map<std::pair<unsigned, unsigned>, std::string> first_seen_;
};

// "|" at the end of a text without a line break holds none; anywhere else it would.
TEST(RandomFiles, AConfigurationThatOnlyTheEndOfATextCanSpellComesBackWhileItIsSwitchedOff) {
    const std::string& first = shapes.back();
    Recording recording;
    recording.at = "2024-01-01T00:00:00Z";
    std::string text = first;
    const auto apply = [&](const std::function<Step(const Located&)>& plan) {
        text = apply_steps({plan(locate(yaml::File::parse(text, "m.yaml")).front())}).text;
    };
    apply([&](const Located& located) {
        return plan_update(located,
                           {.url = "oci://r.example/auth:0.2.0",
                            .sha256 = {},
                            .version = "0.2.0",
                            .no_config = true},
                           recording);
    });
    apply([&](const Located& located) { return plan_switch(located, true, recording); });
    apply([&](const Located& located) {
        return plan_rollback(located, {}, recording, [] { return std::vector<PastState>{}; });
    });
    EXPECT_TRUE(text.ends_with("  pluginConfig:\n    motd: |\n      two\n      lines")) << text;
    apply([&](const Located& located) { return plan_switch(located, false, recording); });
    EXPECT_EQ(outside(text, false), first);
}

// Whatever a version without a configuration or a digest takes away comes back to where it was.
TEST(RandomFiles, WhatAVersionTookAwayComesBackToItsPlace) {
    const std::string head =
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: auth\n";
    const std::string config = "  pluginConfig: {a: 1}   # theirs\n";
    const std::string url = "  url: oci://r.example/auth:0.1.0\n";
    const std::string sha = "  sha256: " + std::string(64, 'a') + " # pinned\n";
    for (const std::string& spec : std::vector<std::string>{
             "spec:\n" + url + sha + "  phase: AUTHN\n\n  # the rules\n" + config + "  # end\n",
             "spec: # all of it\n  # first\n" + config + url + "\n" + sha,
             "spec:\n" + sha + config + url + "  phase: AUTHN",
             "spec:\n" + url + "  match:\n  - mode: SERVER\n" + sha +
                 "  pluginConfig: # c\n    # d\n    a:\n    - b # e\n  # f\n  priority: 1\n",
             "spec:\n" + url + "  phase: AUTHN\n  pluginConfig:\n    motd: |\n      a\n      b\n" +
                 sha,
             "spec:\n" + url + "  phase: AUTHN\n" + sha + "  pluginConfig:\n    a: 1",
         }) {
        const std::string first = head + spec;
        SCOPED_TRACE(first);
        Recording recording;
        recording.at = "2024-01-01T00:00:00Z";
        std::string text = first;
        const auto apply = [&](const std::function<Step(const Located&)>& plan) {
            text = apply_steps({plan(locate(yaml::File::parse(text, "m.yaml")).front())}).text;
        };
        for (const char* version : {"0.2.0", "0.3.0"}) {
            apply([&](const Located& located) {
                return plan_update(located,
                                   {.url = "https://r.example/auth.wasm?v=" + std::string(version),
                                    .sha256 = {},
                                    .version = version,
                                    .no_config = true},
                                   recording);
            });
        }
        for (int back = 0; back < 2; ++back) {
            apply([&](const Located& located) {
                return plan_rollback(located, {}, recording,
                                     [] { return std::vector<PastState>{}; });
            });
        }
        EXPECT_EQ(outside(text, false), first) << text;
    }
}

TEST(RandomFiles, TheSameContentIsTheSameBytesWhateverWasDoneInBetween) {
    for (unsigned seed = 0; seed < 240; ++seed) {
        const std::optional<TemporaryDirectory> folder =
            seed % 20 == 7 ? std::optional<TemporaryDirectory>(std::in_place) : std::nullopt;
        RandomFile file(seed, folder ? folder->path() : std::filesystem::path());
        for (int i = 0; i < 12; ++i) {
            try {
                file.step();
            } catch (const Error& error) {
                FAIL() << "seed " << seed << ": " << error.full_message() << "\n"
                       << file.journal << file.text();
            }
            if (testing::Test::HasFatalFailure()) {
                FAIL() << "seed " << seed;
            }
        }
    }
}

}  // namespace
}  // namespace wasmplug::release
