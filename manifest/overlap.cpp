#include "manifest/overlap.hpp"

#include <fmt/format.h>

namespace wasmplug::manifest {
namespace {

// Generated trees have thousands in one namespace; later ones are compared with the first of them,
// since comparing each with each would be quadratic.
constexpr std::size_t kept = 300;

// Of a rule for one plugin: past these, a number says as much.
constexpr std::size_t told = 3;

std::string title(const Placement& placement) {
    return placement.ns.empty() ? placement.name : placement.ns + "/" + placement.name;
}

std::string where(const Placement& placement) {
    return fmt::format("{}:{}", placement.file, placement.at.line);
}

std::string_view folder_of(std::string_view file) {
    const auto slash = file.rfind('/');
    return slash == std::string_view::npos ? std::string_view() : file.substr(0, slash);
}

Diagnostic& add(std::string_view id, const Placement& at, std::string message,
                DocumentResult& result) {
    const auto* rule = find_rule(id);
    return result.findings.emplace_back(
        Diagnostic{.rule = rule,
                   .level = rule->level,
                   .layer = rule->layer,
                   .path = "metadata.name",
                   .begin = at.at,
                   .end = {at.at.line, at.at.column + at.name.size()},
                   .message = std::move(message),
                   .fix = std::string(rule->fix),
                   .excerpt = {}});
}

// One plugin against those before it.
class Meeting {
  public:
    Meeting(const Placement& plugin, std::string_view root_namespace, DocumentResult& result)
        : plugin_(plugin), root_namespace_(root_namespace), result_(result) {}

    void compare(const Placement& earlier) {
        if (earlier.kind == plugin_.kind && earlier.ns == plugin_.ns &&
            earlier.name == plugin_.name) {
            same_name(earlier);
            return;
        }
        if (earlier.network != plugin_.network || earlier.lua || plugin_.lua) {
            return;
        }
        const auto meeting = overlap(earlier, plugin_, root_namespace_);
        if (meeting == Overlap::none) {
            return;
        }
        const auto* how = meeting == Overlap::certain ? "" : " that carry both sets of labels";
        if (!earlier.repository.empty() && earlier.repository == plugin_.repository &&
            ++same_plugin_ <= told) {
            add("WP201", plugin_,
                fmt::format("{} ({}) runs the same plugin on the same pods{}: both run on every "
                            "request",
                            title(earlier), where(earlier), how),
                result_);
        }
        if (!runs_before(earlier, plugin_, root_namespace_) && ++same_place_ <= told) {
            add("WP202", plugin_,
                fmt::format("{} ({}) has the same phase and priority on the same pods{}: the older "
                            "object runs first",
                            title(earlier), where(earlier), how),
                result_);
        }
    }

    void say_how_many_more() {
        say_more("WP205", same_name_, "has this name", "have this name");
        say_more("WP201", same_plugin_, "runs the same plugin on the same pods",
                 "run the same plugin on the same pods");
        say_more("WP202", same_place_, "has the same phase and priority on the same pods",
                 "have the same phase and priority on the same pods");
    }

  private:
    void say_more(std::string_view id, std::size_t count, std::string_view one,
                  std::string_view several) {
        if (count > told) {
            const auto more = count - told;
            add(id, plugin_,
                more == 1 ? fmt::format("1 more {}", one)
                          : fmt::format("{} more {}", more, several),
                result_);
        }
    }

    void same_name(const Placement& earlier) {
        if (++same_name_ > told) {
            return;
        }
        auto& finding = add("WP205", plugin_,
                            fmt::format("{} {} is in {} too: the one applied last stays",
                                        to_string(earlier.kind), title(plugin_), where(earlier)),
                            result_);
        if (earlier.file != plugin_.file) {
            finding.level = Level::warning;
        }
    }

    const Placement& plugin_;
    std::string_view root_namespace_;
    DocumentResult& result_;
    std::size_t same_name_ = 0;
    std::size_t same_plugin_ = 0;
    std::size_t same_place_ = 0;
};

}  // namespace

void Overlaps::check(const Placement& plugin, DocumentResult& result) {
    auto& folder = folders_[std::string(folder_of(plugin.file))];
    Meeting meeting(plugin, root_namespace_, result);
    const bool everywhere = plugin.ns == root_namespace_;
    for (const auto& [ns, plugins] : folder) {
        if (everywhere || ns == plugin.ns || ns == root_namespace_) {
            for (const auto& earlier : plugins) {
                meeting.compare(earlier);
            }
        }
    }
    meeting.say_how_many_more();
    auto& beside = folder[plugin.ns];
    if (beside.size() < kept) {
        beside.push_back(plugin);
    }
}

void Overlaps::leave_all_but(std::string_view folder) {
    std::erase_if(folders_, [&](const auto& entry) {
        const std::string& known = entry.first;
        const bool above = folder.starts_with(known) &&
                           (folder.size() == known.size() || folder[known.size()] == '/');
        return !known.empty() && !above;
    });
}

}  // namespace wasmplug::manifest
