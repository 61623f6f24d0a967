#include "manifest/metrics_check.hpp"

#include <fmt/format.h>

#include <cctype>

#include "istio/metrics.hpp"

namespace wasmplug::manifest {
namespace {

using yaml::Node;

bool name_byte(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':';
}

void check_expression(const Node& node, const Trail& trail, Findings& findings) {
    const auto text = *node.as_string();
    std::string mended;                // with every name that has one right answer
    std::vector<std::size_t> renamed;  // findings that `mended` answers
    for (std::size_t i = 0; i < text.size();) {
        const auto begin = i;
        if (!name_byte(text[i])) {
            mended += text[i++];
            continue;
        }
        while (i < text.size() && name_byte(text[i])) {
            ++i;
        }
        const auto name = text.substr(begin, i - begin);
        const auto verdict = istio::judge_metric(name);
        // In a regular expression a part of a name stands for many.
        const bool pattern = i < text.size() && (text[i] == '.' || text[i] == '*');
        const bool wrong = !verdict.exists && !pattern;
        mended += wrong && verdict.is_renamed ? verdict.instead : name;
        if (wrong) {
            const auto index = findings.all().size();
            findings
                .add("WP301", trail, node.range(),
                     fmt::format("nothing exports {}: this never fires", name))
                .fix = "use " + verdict.instead;
            if (verdict.is_renamed && index < findings.all().size()) {
                renamed.push_back(index);
            }
        }
    }
    for (const auto index : renamed) {
        findings.all()[index].right = Right{mended};
    }
}

// NOLINTNEXTLINE(misc-no-recursion): the reader bounds the depth
void walk(const Node& node, const Trail& trail, Findings& findings) {
    if (node.is_mapping()) {
        each_entry(node, [&](std::string_view key, const Node&, const Node& value) {
            const Trail below(trail, key);
            if (key == "expr" && value.is_string()) {
                check_expression(value, below, findings);
            } else {
                walk(value, below, findings);
            }
        });
    } else if (node.is_sequence()) {
        std::size_t index = 0;
        for (const auto& item : node.items()) {
            walk(item, Trail(trail, index++), findings);
        }
    }
}

}  // namespace

void check_metrics(Checked& checked) {
    const auto& object = checked.object;
    if (object.identity != Identity::foreign || object.kind_name != "PrometheusRule") {
        return;
    }
    const auto* spec = object.root->find("spec");
    if (spec == nullptr) {
        return;
    }
    const Trail root;
    Findings findings;
    walk(*spec, Trail(root, "spec"), findings);
    if (!findings.all().empty()) {
        checked.skipped.clear();
        checked.findings = std::move(findings.all());
    }
}

}  // namespace wasmplug::manifest
