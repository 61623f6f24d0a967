#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/terminal.hpp"
#include "base/text.hpp"
#include "commands/command.hpp"
#include "istio/releases.hpp"
#include "manifest/fields.hpp"
#include "manifest/rules.hpp"

namespace wasmplug {
namespace {

using manifest::Field;
using manifest::Kind;
using manifest::Rule;
using nlohmann::ordered_json;

struct ExplainOptions {
    std::string subject;
};

struct RuleResult {
    const Rule* rule;
};

struct FieldResult {
    Kind kind;
    std::string path;
    const Field* field;
};

struct RuleList {};

std::string to_text(const RuleResult& result, const Output::Style& style) {
    const auto& rule = *result.rule;
    auto text = fmt::format("{} {}: {}\n", rule.id, to_string(rule.level), rule.text);
    const auto paragraph = [&](std::string_view label, std::string_view words) {
        if (!words.empty()) {
            text += wrap(fmt::format("{}{}", label, words), style.width, label.size()) + "\n";
        }
    };
    paragraph("why:    ", rule.reason);
    paragraph("fix:    ", rule.fix);
    paragraph("layer:  ", manifest::name_of(rule.layer));
    paragraph("source: ", rule.source);
    if (rule.mending != manifest::Mending::none) {
        text += "mended by: wasmplug validate --fix FILE, where there is one right answer\n";
    }
    return text + fmt::format("silence it with: # wasmplug:ignore {} REASON\n", rule.id);
}

ordered_json to_json(const Rule& rule) {
    return {{"id", rule.id},
            {"severity", to_string(rule.level)},
            {"layer", to_string(rule.layer)},
            {"text", rule.text},
            {"reason", rule.reason},
            {"fix", rule.fix},
            {"source", rule.source},
            {"mended", rule.mending != manifest::Mending::none}};
}

ordered_json to_json(const RuleResult& result) {
    ordered_json json{{"version", 1}};
    json.update(to_json(*result.rule));
    return json;
}

std::string_view type_of(const Field& field) {
    switch (field.type) {
        case manifest::Type::object:
            return "object";
        case manifest::Type::free_object:
            return "object, free inside";
        case manifest::Type::string_map:
            return "labels: any key, string values";
        case manifest::Type::list:
            return "list";
        case manifest::Type::string:
            return "string";
        case manifest::Type::enumeration:
            return "one of the values below";
        case manifest::Type::integer:
            break;
    }
    return "integer";
}

// "1 to 253 characters", "at most 16", "1 to 65535".
std::string limits_of(const Field& field) {
    const bool text = field.type == manifest::Type::string;
    const bool bounded = field.max_length != std::numeric_limits<std::size_t>::max();
    std::string limits;
    if (text && bounded) {
        limits = fmt::format("{} to {} characters", field.min_length, field.max_length);
    } else if (bounded) {
        limits = fmt::format("at most {}", field.max_length);
    } else if (field.min_length > 0) {
        limits = "not empty";
    }
    if (field.minimum != std::numeric_limits<std::int64_t>::min()) {
        limits = fmt::format("{} to {}", field.minimum, field.maximum);
    }
    if (field.pattern != manifest::Pattern::none) {
        limits += fmt::format("{}matches {}", limits.empty() ? "" : ", ", to_string(field.pattern));
    }
    if (!field.list_key.empty()) {
        limits += fmt::format("{}each {} once", limits.empty() ? "" : ", ", field.list_key);
    }
    return limits;
}

int since(const FieldResult& result) {
    return result.kind == Kind::traffic_extension
               ? std::max(result.field->since, istio::since::traffic_extension)
               : result.field->since;
}

std::string to_text(const FieldResult& result, const Output::Style& style) {
    const auto& field = *result.field;
    auto text = fmt::format("{} {}\n{}\n", to_string(result.kind), result.path,
                            wrap(std::string(field.meaning), style.width));
    text += fmt::format("type:   {}{}{}\n", type_of(field), field.required ? ", required" : "",
                        field.hidden ? ", kept for old manifests" : "");
    if (const auto limits = limits_of(field); !limits.empty()) {
        text += fmt::format("limits: {}\n", limits);
    }
    text += fmt::format("since:  istio-1.{}\nsource: {}\n", since(result), field.source);
    for (const auto& value : field.values) {
        const auto line = fmt::format(
            "  {}  {}{}", value.name, value.meaning,
            value.since > field.since ? fmt::format(" (since istio-1.{})", value.since) : "");
        text += wrap(line, style.width, 4) + "\n";
    }
    if (!field.children.empty()) {
        text += "fields:\n";
        for (const auto& child : field.children) {
            text += fmt::format("  {}\n", child.name);
        }
    }
    return text;
}

ordered_json to_json(const FieldResult& result) {
    const auto& field = *result.field;
    auto values = ordered_json::array();
    for (const auto& value : field.values) {
        values.push_back(
            {{"name", value.name},
             {"since", fmt::format("istio-1.{}", std::max(value.since, since(result)))},
             {"meaning", value.meaning}});
    }
    auto children = ordered_json::array();
    for (const auto& child : field.children) {
        children.push_back(child.name);
    }
    return {{"version", 1},
            {"kind", to_string(result.kind)},
            {"path", result.path},
            {"type", type_of(field)},
            {"required", field.required},
            {"limits", limits_of(field)},
            {"since", fmt::format("istio-1.{}", since(result))},
            {"meaning", field.meaning},
            {"source", field.source},
            {"values", values},
            {"fields", children}};
}

std::string to_text(const RuleList&) {
    Table table{.header = {"RULE", "SEVERITY", "LAYER", "WHAT"}, .rows = {}};
    for (const auto& rule : manifest::rules()) {
        table.rows.push_back({std::string(rule.id), std::string(to_string(rule.level)),
                              std::string(to_string(rule.layer)), std::string(rule.text)});
    }
    auto text = to_text(table) + "\nFields of WasmPlugin:\n";
    for (const auto& path : manifest::all_paths(Kind::wasm_plugin)) {
        text += "  " + path + "\n";
    }
    return text;
}

ordered_json to_json(const RuleList&) {
    auto rules = ordered_json::array();
    for (const auto& rule : manifest::rules()) {
        rules.push_back(to_json(rule));
    }
    return {{"version", 1},
            {"rules", rules},
            {"fields", manifest::all_paths(Kind::wasm_plugin)},
            {"trafficExtensionFields", manifest::all_paths(Kind::traffic_extension)}};
}

// Lists are spelled "match[]" in the tables and "match[0]" by people.
std::string without_brackets(const std::string& path) {
    std::string plain;
    bool inside = false;
    for (const char c : path) {
        inside = c == '[' || (inside && c != ']');
        if (!inside && c != ']') {
            plain += c;
        }
    }
    return plain;
}

bool has_value(const Field& field, const std::string& name) {
    return std::any_of(field.values.begin(), field.values.end(),
                       [&](const auto& value) { return lower_case(value.name) == name; });
}

// "spec.match.mode", "match[0].mode", "trafficextension.spec.wasm.url", any of them in any case,
// and FAIL_OPEN for the field that takes it.
std::optional<FieldResult> find_field(const std::string& subject) {
    const auto word = lower_case(subject);
    for (const auto kind : {Kind::wasm_plugin, Kind::traffic_extension}) {
        const auto prefix = lower_case(to_string(kind)) + ".";
        const auto path = subject.substr(word.starts_with(prefix) ? prefix.size() : 0);
        if (const auto* field = manifest::find_field(kind, path)) {
            return FieldResult{kind, path.starts_with("spec") ? path : "spec." + path, field};
        }
        const auto wanted = lower_case(without_brackets(path));
        for (const auto& known : manifest::all_paths(kind)) {
            const auto plain = without_brackets(known);
            const auto* field = manifest::find_field(kind, plain);
            if (lower_case(plain) == wanted || lower_case(plain) == "spec." + wanted ||
                has_value(*field, wanted)) {
                return FieldResult{kind, plain, field};
            }
        }
    }
    return std::nullopt;
}

ExitCode run_explain(const ExplainOptions& options, Services& services) {
    const auto& subject = options.subject;
    if (subject.empty()) {
        services.out.show(RuleList{});
        return ExitCode::ok;
    }
    if (const auto* rule = manifest::find_rule(subject)) {
        services.out.show(RuleResult{rule});
        return ExitCode::ok;
    }
    if (const auto field = find_field(subject)) {
        services.out.show(*field);
        return ExitCode::ok;
    }
    auto known = manifest::all_paths(Kind::wasm_plugin);
    for (const auto& rule : manifest::rules()) {
        known.emplace_back(rule.id);
    }
    auto hint =
        manifest::known_confusion(subject.starts_with("spec.") ? subject : "spec." + subject);
    const auto guess = closest(subject, known);
    throw usage_error(fmt::format("there is no rule and no field {}", subject),
                      !hint.empty()    ? fmt::format("it is {}", hint)
                      : !guess.empty() ? fmt::format("did you mean {}?", guess)
                                       : "wasmplug explain lists them");
}

void add_explain(CLI::App& command, Run& selected) {
    auto options = std::make_shared<ExplainOptions>();
    command
        .add_option("WHAT", options->subject, "A rule, as WP012, or a field, as spec.match.mode")
        ->type_name("RULE|FIELD");
    command.footer("wasmplug explain WP030\nwasmplug explain spec.match.mode\nwasmplug explain");
    selects(command, selected, options, run_explain);
}

}  // namespace

extern const Command explain_command;
const Command explain_command = {.name = "explain",
                                 .summary = "Say what a rule or a field means",
                                 .group = Group::declare,
                                 .add = add_explain};

}  // namespace wasmplug
