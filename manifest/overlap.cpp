#include "manifest/overlap.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>

namespace wasmplug::manifest {
namespace {

std::string title(const Placement& placement) {
    return placement.ns.empty() ? placement.name : placement.ns + "/" + placement.name;
}

std::string where(const Placement& placement) {
    return fmt::format("{}:{}", placement.file, placement.at.line);
}

void add(std::string_view id, const Placement& at, std::string message,
         std::vector<DocumentResult>& documents) {
    const auto* rule = find_rule(id);
    documents[at.document].findings.push_back({.rule = rule,
                                               .level = rule->level,
                                               .layer = rule->layer,
                                               .path = "metadata.name",
                                               .begin = at.at,
                                               .end = {at.at.line, at.at.column + at.name.size()},
                                               .message = std::move(message),
                                               .fix = std::string(rule->fix),
                                               .excerpt = {}});
}

void compare(const Placement& a, const Placement& b, std::string_view root,
             std::vector<DocumentResult>& documents) {
    const bool same_name = a.kind == b.kind && a.ns == b.ns && a.name == b.name;
    if (same_name) {
        add("WP205", b,
            fmt::format("{} {} is in {} too: the one applied last stays", to_string(a.kind),
                        title(b), where(a)),
            documents);
        if (a.file != b.file) {
            documents[b.document].findings.back().level = Level::warning;
        }
        return;
    }
    if (a.network != b.network || a.lua || b.lua) {
        return;
    }
    const auto meeting = overlap(a, b, root);
    if (meeting == Overlap::none) {
        return;
    }
    const auto* how = meeting == Overlap::certain ? "" : " that carry both sets of labels";
    if (!a.repository.empty() && a.repository == b.repository) {
        add("WP201", b,
            fmt::format("{} ({}) runs the same plugin on the same pods{}: both run on every "
                        "request",
                        title(a), where(a), how),
            documents);
    }
    if (!runs_before(a, b, root)) {
        add("WP202", b,
            fmt::format("{} ({}) has the same phase and priority on the same pods{}: the older "
                        "object runs first",
                        title(a), where(a), how),
            documents);
    }
}

}  // namespace

void check_overlap(const std::vector<Placement>& placements, std::string_view root_namespace,
                   std::vector<DocumentResult>& documents) {
    // Only plugins of one folder, one namespace (or the root's) and one phase or repository can
    // meet; comparing each with each would be quadratic over a whole repository.
    std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> groups;
    std::map<std::string, std::vector<std::size_t>> roots;
    for (std::size_t i = 0; i < placements.size(); ++i) {
        const auto folder = std::filesystem::path(placements[i].file).parent_path().string();
        groups[{folder, placements[i].ns}].push_back(i);
        if (placements[i].ns == root_namespace) {
            roots[folder].push_back(i);
        }
    }
    constexpr std::size_t compared = 300;  // of one group: generated trees have thousands
    for (const auto& [key, members] : groups) {
        const auto count = std::min(members.size(), compared);
        for (std::size_t j = 1; j < count; ++j) {
            for (std::size_t i = 0; i < j; ++i) {
                compare(placements[members[i]], placements[members[j]], root_namespace, documents);
            }
        }
        const auto& root = roots[key.first];
        if (key.second == root_namespace || root.size() > compared) {
            continue;
        }
        for (const auto i : root) {
            for (std::size_t j = 0; j < count; ++j) {
                compare(placements[i], placements[members[j]], root_namespace, documents);
            }
        }
    }
}

}  // namespace wasmplug::manifest
