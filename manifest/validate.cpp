#include "manifest/validate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/terminal.hpp"
#include "istio/go_url.hpp"
#include "manifest/fixes.hpp"

namespace wasmplug::manifest {
namespace {

using istio::go_quote;

constexpr std::string_view no_yaml = "error converting YAML to JSON: yaml: ";

void check_broken(const Object& object, Findings& findings) {
    const auto& file = object.file;
    const auto& problems = file.problems();
    const auto is_template = file.template_at();
    const yaml::Problem* problem = nullptr;
    for (const auto& one : problems) {
        if (problem == nullptr && one.range.begin >= object.range.begin) {
            problem = &one;
        }
    }
    if (problem == nullptr) {
        problem = &problems.front();
    }
    const auto line = file.position(problem->range.begin).line;
    const auto message = fmt::format("{}line {}: {}", no_yaml, line, problem->message);
    if (is_template && *is_template >= object.range.begin && *is_template < object.range.end) {
        findings.add("WP002", {}, {*is_template, *is_template + 2},
                     "a template that was not rendered: " + message);
        return;
    }
    auto& finding = findings.add("WP001", {}, problem->range, message);
    if (!problem->hint.empty()) {
        finding.fix = problem->hint;
    }
}

// Readable, but with something in it that JSON cannot say. True when there was one.
bool check_problems(const Object& object, Findings& findings) {
    const auto where = object.root == nullptr ? object.range : object.root->full_range();
    bool any = false;
    for (const auto& problem : object.file.problems()) {
        const bool inside = where.begin <= problem.range.begin && problem.range.begin < where.end;
        if (!inside) {
            continue;
        }
        any = true;
        const auto is_template = object.file.template_at();
        const bool rendered =
            !is_template || *is_template < where.begin || *is_template >= where.end;
        auto& finding = findings.add(rendered ? "WP001" : "WP002", {}, problem.range,
                                     std::string(no_yaml) + problem.message);
        if (rendered && !problem.hint.empty()) {
            finding.fix = problem.hint;
        }
    }
    return any;
}

// go-yaml refuses every version but 1.1. Our reader does not, since such files mean the same.
void check_version(const Object& object, Findings& findings) {
    constexpr std::string_view directive = "%YAML ";
    const auto text = object.file.text().substr(object.range.begin, object.range.size());
    auto at = text.find(directive);
    while (at != std::string_view::npos && at > 0 && text[at - 1] != '\n') {
        at = text.find(directive, at + 1);
    }
    if (at == std::string_view::npos) {
        return;
    }
    const bool before_it = object.root != nullptr && !object.item &&
                           object.range.begin + at < object.root->full_range().begin;
    if (!before_it || text.substr(at + directive.size()).starts_with("1.1")) {
        return;
    }
    const auto begin = object.range.begin + at;
    findings
        .add("WP001", {}, {begin, begin + directive.size() + 3},
             std::string(no_yaml) + "found incompatible YAML document")
        .fix = "leave the %YAML line out: Kubernetes reads version 1.1 only";
}

constexpr std::array our_kinds = {std::string_view("WasmPlugin"),
                                  std::string_view("TrafficExtension")};

bool is_our_kind(std::string_view name) {
    return std::find(our_kinds.begin(), our_kinds.end(), name) != our_kinds.end();
}

void check_unidentified(const Object& object, Findings& findings) {
    const auto& root = *object.root;
    if (!root.is_mapping()) {
        const auto type = root.is_sequence()                   ? "array"
                          : root.is_string()                   ? "string"
                          : root.type() == yaml::Type::boolean ? "bool"
                                                               : "number";
        findings
            .add("WP001", {}, root.range(),
                 fmt::format("error unmarshaling JSON: while decoding JSON: json: cannot "
                             "unmarshal {} into Go value of type map[string]interface {{}}",
                             type))
            .fix = "take out what is not YAML: shell lines, prose, markdown fences";
        return;
    }
    const bool kind = !object.kind_name.empty();
    auto& finding = findings.add(
        "WP003", {}, beginning_of(root),
        kind ? "Object 'apiVersion' is missing" : "Object 'Kind' is missing: no kind is set");
    if (kind) {
        finding.path = "apiVersion";
        finding.fix = "add apiVersion: " + std::string(api_version);
        if (is_our_kind(object.kind_name)) {
            finding.right = Right{std::string(api_version)};
        }
    }
}

void check_unserved(const Object& object, Findings& findings) {
    const bool kind_known = is_our_kind(object.kind_name);
    auto& finding =
        findings.add("WP004", {}, key_range(*object.root, kind_known ? "apiVersion" : "kind"),
                     fmt::format("no matches for kind {} in version {}", go_quote(object.kind_name),
                                 go_quote(object.api_version)));
    finding.path = kind_known ? "apiVersion" : "kind";
    if (kind_known) {
        finding.remedy(
            {"write apiVersion: " + std::string(api_version), Right{std::string(api_version)}});
    } else if (auto remedy = spelled(object.kind_name, our_kinds, "write kind: ")) {
        finding.remedy(std::move(*remedy));
    }
}

void check_layers(const Object& object, const ValidateSettings& settings, Findings& findings) {
    check_api_server(object, settings.releases.front(), findings);
    check_webhook(object, settings.releases.front(), findings);
    check_runtime(object, settings.releases.front(), settings.runtime, findings);
    for (std::size_t i = 1; i < settings.releases.size(); ++i) {
        const auto& release = settings.releases[i];
        Findings more;
        check_api_server(object, release, more);
        check_webhook(object, release, more);
        check_runtime(object, release, settings.runtime, more);
        for (auto& finding : more.all()) {
            const bool known = std::any_of(
                findings.all().begin(), findings.all().end(), [&](const Finding& other) {
                    return other.rule == finding.rule && other.layer == finding.layer &&
                           other.range == finding.range && other.path == finding.path;
                });
            if (!known) {
                finding.message += fmt::format(" (for {})", istio::to_string(release));
                findings.all().push_back(std::move(finding));
            }
        }
    }
}

void sort_by_place(std::vector<Finding>& findings) {
    std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
        return std::tuple(a.range.begin, a.layer) < std::tuple(b.range.begin, b.layer);
    });
}

}  // namespace

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "ok";
        case Verdict::warning:
            return "warning";
        case Verdict::error:
            return "error";
        case Verdict::skipped:
            break;
    }
    return "skipped";
}

Verdict Checked::verdict() const {
    return skipped.empty() ? worst(findings) : Verdict::skipped;
}

Verdict Checked::verdict(Layer layer) const {
    return worst(findings, &layer);
}

Checked validate(const Object& object, const ValidateSettings& settings,
                 std::span<const ObjectRule> further) {
    Checked checked{.object = object, .findings = {}, .skipped = {}};
    Findings findings;
    const bool pass_over = settings.only_ours && !object.mentions_ours;
    switch (object.identity) {
        case Identity::foreign:
            checked.skipped = fmt::format("{}/{}", object.api_version, object.kind_name);
            if (object.api_version.starts_with("extensions.higress.io/")) {
                findings.add("WP303", {}, key_range(*object.root, "apiVersion"),
                             "this is Higress' WasmPlugin, which Istio does not read");
            }
            break;
        case Identity::broken:
            if (pass_over) {
                checked.skipped = "no YAML";
            } else {
                check_broken(object, findings);
            }
            break;
        case Identity::unidentified:
            if (pass_over) {
                checked.skipped = "no apiVersion and kind";
            } else if (!check_problems(object, findings)) {
                check_unidentified(object, findings);
            }
            break;
        case Identity::unserved:
            check_unserved(object, findings);
            break;
        case Identity::ours:
            check_version(object, findings);
            if (!check_problems(object, findings)) {
                check_layers(object, settings, findings);
                for (const auto& rule : further) {
                    rule(object, findings);
                }
            }
            break;
    }
    if (!settings.strict) {
        for (auto& finding : findings.all()) {
            if (finding.layer == Layer::strict) {
                finding.level = std::min(finding.level, Level::warning);
            }
        }
    }
    checked.findings = findings.take();
    sort_by_place(checked.findings);
    return checked;
}

std::vector<Checked> validate(const yaml::File& file, const ValidateSettings& settings) {
    std::vector<Checked> all;
    for (const auto& object : objects_in(file)) {
        all.push_back(validate(object, settings));
    }
    return all;
}

}  // namespace wasmplug::manifest
