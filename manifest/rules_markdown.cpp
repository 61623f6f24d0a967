#include <fmt/format.h>

#include <algorithm>

#include "istio/releases.hpp"
#include "manifest/fields.hpp"
#include "manifest/rules.hpp"

namespace wasmplug::manifest {
namespace {

std::string cell(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (c == '|') {
            safe += '\\';
        }
        if (c == '<') {
            safe += "&lt;";
        } else {
            safe += c;
        }
    }
    return safe;
}

std::string section(std::string_view title, std::string_view from, std::string_view to) {
    auto text = fmt::format("\n## {}\n", title);
    for (const auto& rule : rules()) {
        if (rule.id < from || rule.id > to) {
            continue;
        }
        text += fmt::format("\n### {}: {}\n\n", rule.id, rule.text);
        text += fmt::format("{}, {}.", to_string(rule.level), name_of(rule.layer));
        if (!rule.reason.empty()) {
            text += fmt::format(" {}.", cell(rule.reason));
        }
        text += fmt::format("\n\nFix: {}.{}\n\nSource: {}\n", cell(rule.fix),
                            rule.mending == Mending::none
                                ? ""
                                : " `validate --fix` does it where there is one right answer.",
                            rule.source);
    }
    return text;
}

std::string field_table(Kind kind) {
    auto text = fmt::format("\n## Fields of {}\n\n| field | since | meaning |\n|---|---|---|\n",
                            to_string(kind));
    for (const auto& path : all_paths(kind)) {
        const auto* field = find_field(kind, path);
        text += fmt::format(
            "| `{}`{} | 1.{} | {}", path, field->required ? " (required)" : "",
            std::max(field->since,
                     kind == Kind::traffic_extension ? istio::since::traffic_extension : 0),
            cell(field->meaning));
        for (const auto& value : field->values) {
            text += fmt::format("; `{}`: {}", value.name, cell(value.meaning));
        }
        text += field->hidden ? " (kept for old manifests) |\n" : " |\n";
    }
    return text;
}

}  // namespace

std::string rules_markdown() {
    std::string text =
        "# Rules\n\nWhat `wasmplug validate` says, and why. Written by `tools/regen` from the "
        "tables in `manifest/`; `wasmplug explain RULE` shows the same.\n\nA comment silences a "
        "rule: `# wasmplug:ignore WP201 reason` behind a value is for its line, above a line for "
        "that line and what is nested below it, above the first line of a document for all of "
        "it.\n";
    text += section("Schema and admission", "WP001", "WP029");
    text += section("Run-time traps", "WP030", "WP099");
    text += section("Artefacts", "WP100", "WP199");
    text += section("Overlap and order", "WP200", "WP299");
    text += section("Operations", "WP300", "WP399");
    text += section("Policy", "WP400", "WP499");
    return text + field_table(Kind::wasm_plugin) + field_table(Kind::traffic_extension);
}

}  // namespace wasmplug::manifest
