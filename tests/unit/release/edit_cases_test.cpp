// tests/data/release/edits.txt: one case after another, checked byte for byte. Each is the text of
// a manifest, edited as its options say, and what has to come out. Every one that is not refused
// is also taken back: the bytes have to be those of the beginning. WASMPLUG_ACCEPT=1 rewrites what
// comes out; read the diff.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "base/error.hpp"
#include "base/file.hpp"
#include "release/step.hpp"

namespace wasmplug::release {
namespace {

const std::filesystem::path data =
    std::filesystem::path(WASMPLUG_SOURCE_DIR) / "tests/data/release/edits.txt";

const std::string old_digest(64, 'a');
const std::string new_digest(64, 'b');
constexpr std::string_view digits =
    "1234567890123456789012345678901234567890123456789012345678901234";

struct EditCase {
    std::string title;
    std::vector<std::string> options;
    std::string before;
    std::string after;

    bool has(const std::string& option) const { return std::ranges::count(options, option) != 0; }

    std::string value(const std::string& key) const {
        for (const auto& option : options) {
            if (option.starts_with(key + "=")) {
                return option.substr(key.size() + 1);
            }
        }
        return {};
    }
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

std::vector<EditCase> read_cases() {
    std::vector<EditCase> cases;
    std::istringstream lines(read_file(data));
    std::string* part = nullptr;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("=== ")) {
            auto& one = cases.emplace_back();
            const std::size_t bar = line.find(" | ");
            one.title = line.substr(4, bar == std::string::npos ? bar : bar - 4);
            std::istringstream words(bar == std::string::npos ? "" : line.substr(bar + 3));
            for (std::string word; words >> word;) {
                one.options.push_back(word);
            }
            part = &one.before;
        } else if (line == "--->") {
            part = &cases.back().after;
        } else if (part != nullptr) {
            *part += line + "\n";
        }
    }
    return cases;
}

// The text as it is on disk: the case file keeps it in plain lines.
std::string on_disk(const EditCase& one, std::string text) {
    replace_all(text, "@OLD@", old_digest);
    replace_all(text, "@NEW@", new_digest);
    replace_all(text, "@DIGITS@", digits);
    replace_all(text, "<TAB>", "\t");
    if (one.has("noeol") && text.ends_with('\n')) {
        text.pop_back();
    }
    if (one.has("crlf")) {
        replace_all(text, "\n", "\r\n");
    }
    return one.has("bom") ? "\xef\xbb\xbf" + text : text;
}

std::string in_lines(const EditCase& one, std::string text) {
    if (one.has("bom")) {
        EXPECT_TRUE(text.starts_with("\xef\xbb\xbf"));
        text.erase(0, 3);
    }
    if (one.has("crlf")) {
        auto lone = text;
        replace_all(lone, "\r\n", "");
        EXPECT_EQ(lone.find_first_of("\r\n"), std::string::npos) << "mixed line ends";
        replace_all(text, "\r\n", "\n");
    }
    if (one.has("noeol")) {
        EXPECT_FALSE(text.ends_with('\n'));
        text += '\n';
    }
    replace_all(text, old_digest, "@OLD@");
    replace_all(text, new_digest, "@NEW@");
    replace_all(text, digits, "@DIGITS@");
    replace_all(text, "\t", "<TAB>");
    return text;
}

std::vector<Located> targets_of(const EditCase& one, const std::string& text) {
    return locate(yaml::File::parse(text, "m.yaml"),
                  {.name = one.value("name"), .values_path = one.value("path")});
}

Recording recording_for(const EditCase& one) {
    Recording recording;
    recording.mode = one.has("ledger") ? HistoryMode::ledger : HistoryMode::none;
    recording.at = "2026-11-21T00:00:00Z";
    recording.by = "ci";
    return recording;
}

Wanted wanted_for(const EditCase& one) {
    Wanted wanted{.url = "oci://r.example/p:2.0.0",
                  .sha256 = one.has("digits") ? std::string(digits) : new_digest,
                  .version = "2.0.0"};
    std::string config = one.value("config");
    replace_all(config, "~", " ");
    replace_all(config, "^", "\n");
    if (!config.empty()) {
        auto file = yaml::File::parse(config, "config.yaml");
        const auto* node = &file.single();
        wanted.config = ConfigSource{std::move(file), node};
    }
    for (const auto& option : one.options) {
        if (option.starts_with("set=")) {
            wanted.settings.push_back(parse_setting(option.substr(4), false));
        }
    }
    return wanted;
}

// What a rollback would do with what was known before the edit.
std::string taken_back(const EditCase& one, const std::string& edited,
                       const std::vector<Step>& steps) {
    const auto targets = targets_of(one, edited);
    std::vector<Change> changes;
    for (const auto& step : steps) {
        const auto odd = odd_spellings(step.located, step.change);
        Change change;
        if (step.changed && !step.change.scope) {
            change.url = step.before.content.url;
            change.url_text = odd.url;
            change.sha256 = step.before.content.sha256;
            change.sha256_text = odd.sha256;
            if (step.change.config) {
                change.config = step.before.config;
                change.config_hash = step.before.content.config_hash;
            }
        } else if (step.change.scope) {
            return apply_steps({plan_switch(targets.front(), false, recording_for(one))}).text;
        }
        changes.push_back(change);
    }
    return apply_changes(targets, changes).text;
}

std::string run(const EditCase& one, const std::string& before) {
    std::vector<Step> steps;
    try {
        const auto targets = targets_of(one, before);
        if (targets.empty()) {
            return "!! nothing found\n";
        }
        for (const auto& located : targets) {
            steps.push_back(one.has("off")
                                ? plan_switch(located, true, recording_for(one))
                                : plan_update(located, wanted_for(one), recording_for(one)));
        }
        const Applied applied = apply_steps(steps);
        std::string notes;
        for (const auto& note : applied.notes) {
            notes += "!! " + note + "\n";
        }
        for (const auto& located : targets_of(one, applied.text)) {
            const auto again = one.has("off") ? plan_switch(located, true, recording_for(one))
                                              : plan_update(located, wanted_for(one), {});
            EXPECT_FALSE(again.changed) << "a second time";
        }
        if (!one.has("ledger")) {
            EXPECT_EQ(taken_back(one, applied.text, steps), before) << "the way back";
        }
        return in_lines(one, applied.text) + notes;
    } catch (const Error& error) {
        return std::string("!! ") + error.what() + "\n";
    }
}

TEST(EditCases, ComeOutByteForByteAndCanBeTakenBack) {
    auto cases = read_cases();
    const char* accept = std::getenv("WASMPLUG_ACCEPT");
    const bool accepting = accept != nullptr && std::string(accept) == "1";
    EXPECT_GE(cases.size(), 150u);
    std::string rewritten;
    for (auto& one : cases) {
        SCOPED_TRACE(one.title);
        const std::string actual = run(one, on_disk(one, one.before));
        if (!accepting) {
            EXPECT_EQ(actual, one.after);
        }
        rewritten += "=== " + one.title;
        for (const auto& option : one.options) {
            rewritten += (&option == &one.options.front() ? " | " : " ") + option;
        }
        rewritten += "\n" + one.before + "--->\n" + actual;
    }
    if (accepting) {
        write_file(data, rewritten);
    }
}

// The first plugin of a case, or nothing where the text refuses every edit.
std::optional<Located> first_of(const EditCase& one, const std::string& text) {
    try {
        const auto targets = targets_of(one, text);
        return targets.empty() ? std::nullopt : std::optional(targets.front());
    } catch (const Error&) {
        return std::nullopt;
    }
}

// The text with all that is ours taken out of the annotations of its first plugin.
std::string without_ledger(const EditCase& one, const std::string& text, bool had_annotations) {
    const auto located = first_of(one, text);
    Change change;
    for (const auto& [key, value] : state_of(*located).annotations) {
        if (key.starts_with("wasmplug.dev/")) {
            change.annotations.remove.push_back(key);
        }
    }
    change.drop_annotations = !had_annotations;
    return apply_changes({*located}, {change}).text;
}

bool has_annotations(const Located& located) {
    return located.keeps_ledger() && located.metadata.value->is_mapping() &&
           located.metadata.value->find("annotations") != nullptr;
}

TEST(EditCases, AnUpdateThatIsRolledBackLeavesTheBytesOutsideTheLedger) {
    unsigned tried = 0;
    for (const auto& one : read_cases()) {
        SCOPED_TRACE(one.title);
        const std::string before = on_disk(one, one.before);
        const auto located = first_of(one, before);
        if (!located || !located->keeps_ledger()) {
            continue;
        }
        Recording recording = recording_for(one);
        recording.mode = HistoryMode::ledger;
        std::string updated;
        try {
            const Step step = plan_update(*located, wanted_for(one), recording);
            if (!step.changed || step.before.content.url.empty() ||
                !read_ledger(step.before.annotations).empty()) {
                continue;
            }
            updated = apply_steps({step}).text;
        } catch (const Error&) {
            continue;  // the other test says which refuse
        }
        SCOPED_TRACE(updated);
        std::string back;
        ASSERT_NO_THROW(back =
                            apply_steps({plan_rollback(*first_of(one, updated), {}, recording, [] {
                                return std::vector<PastState>{};
                            })}).text);
        EXPECT_EQ(without_ledger(one, back, has_annotations(*located)), before);
        ++tried;
    }
    EXPECT_GE(tried, 120U);
}

const std::string quoted_plugin =
    "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: a\n"
    "spec:\n  url: oci://r.example/a:1\n  sha256: \"" +
    old_digest + "\"  # of 1\n";

Located only_one(const std::string& text) {
    return locate(yaml::File::parse(text, "m.yaml"), {}).at(0);
}

// What stands in a ledger may have been edited by anybody.
TEST(EditCases, ARecordedPlaceThatLeadsNowhereDoesNotStopARollback) {
    auto updated =
        apply_steps({plan_update(only_one(quoted_plugin), {"oci://r.example/a:2", "", "2"}, {})})
            .text;
    const std::string comment = "  # of 1\"";
    ASSERT_NE(updated.find(comment), std::string::npos) << updated;
    for (const char* damaged : {" garbage: [\"", "\\n  x: 1\"", "\""}) {
        auto text = updated;
        replace_all(text, comment, damaged);
        const auto back = apply_steps({plan_rollback(only_one(text), {}, {}, [] {
                              return std::vector<PastState>();
                          })}).text;
        const Located after = only_one(back);
        ASSERT_NE(after.site(Role::sha256), nullptr) << back;
        EXPECT_EQ(after.site(Role::sha256)->text(), old_digest) << back;
    }
}

TEST(EditCases, ADamagedRecordOfTheOffSwitchIsNamedWithItsPlace) {
    const auto off = apply_steps({plan_switch(only_one(quoted_plugin), true, {})}).text;
    const auto begin = off.find("wasmplug.dev/disabled: ");
    ASSERT_NE(begin, std::string::npos) << off;
    const auto end = off.find('\n', begin);
    for (const char* record : {"'[]'", "'{\"alone\":\"yes\"}'", "'{\"added\":1}'"}) {
        auto text = off;
        text.replace(begin, end - begin, std::string("wasmplug.dev/disabled: ") + record);
        try {
            plan_switch(only_one(text), false, {});
            ADD_FAILURE() << record;
        } catch (const Error& error) {
            EXPECT_TRUE(std::string(error.what()).starts_with("m.yaml:1:1: ")) << error.what();
            EXPECT_NE(error.hint().find("from git"), std::string::npos);
        }
    }
}

TEST(EditCases, WhatIsSwitchedOffAndOnAgainHasTheSameBytes) {
    unsigned tried = 0;
    for (const auto& one : read_cases()) {
        SCOPED_TRACE(one.title);
        const std::string before = on_disk(one, one.before);
        const auto located = first_of(one, before);
        std::string off;
        try {
            if (!located || is_switched_off(state_of(*located))) {
                continue;
            }
            off = apply_steps({plan_switch(*located, true, recording_for(one))}).text;
        } catch (const Error&) {
            continue;
        }
        EXPECT_NE(off, before);
        EXPECT_EQ(apply_steps({plan_switch(*first_of(one, off), false, recording_for(one))}).text,
                  before);
        ++tried;
    }
    EXPECT_GE(tried, 150U);
}

}  // namespace
}  // namespace wasmplug::release
