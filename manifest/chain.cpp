#include "manifest/chain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <nlohmann/json.hpp>

namespace wasmplug::manifest {
namespace {

using nlohmann::ordered_json;

std::string title(const Placement& plugin) {
    return plugin.ns.empty() ? plugin.name : plugin.ns + "/" + plugin.name;
}

std::string reason(const Placement& plugin, const Placement* before, std::string_view root) {
    const auto priority =
        plugin.priority ? fmt::format("priority {}", *plugin.priority) : "no priority";
    if (before == nullptr || before->phase != plugin.phase) {
        return priority;
    }
    if (before->priority != plugin.priority) {
        return fmt::format("{}: higher runs first, unset last", priority);
    }
    if (runs_before(*before, plugin, root)) {
        return fmt::format("{}: the pod's own namespace comes before the root's", priority);
    }
    return fmt::format("{}: a tie, the older object runs first", priority);
}

void order(std::vector<ChainLink>& links, std::string_view root) {
    std::stable_sort(links.begin(), links.end(), [&](const ChainLink& a, const ChainLink& b) {
        return stands_before(a.plugin, b.plugin, root);
    });
    const Placement* before = nullptr;
    for (auto& link : links) {
        link.why = reason(link.plugin, before, root);
        before = &link.plugin;
    }
}

// The labels of `plugin` that `scope` does not promise: "version=v2".
std::string missing_labels(const Placement& plugin, const Placement& scope) {
    std::string text;
    for (const auto& label : plugin.labels) {
        if (std::find(scope.labels.begin(), scope.labels.end(), label) == scope.labels.end()) {
            text += fmt::format("{}{}={}", text.empty() ? "" : ",", label.first, label.second);
        }
    }
    return text;
}

Chain pods_chain(const Placement& scope, const std::vector<Placement>& placements,
                 std::string_view root, bool network) {
    Chain chain{
        .ns = scope.ns, .labels = label_text(scope), .target = {}, .network = network, .links = {}};
    for (const auto& plugin : placements) {
        const bool reaches = plugin.ns == scope.ns || plugin.ns == root;
        if (plugin.network != network || !plugin.targets.empty() || !reaches ||
            overlap(scope, plugin, root) == Overlap::none) {
            continue;
        }
        const auto missing = missing_labels(plugin, scope);
        chain.links.push_back({plugin, "", missing.empty() ? "" : "only pods with " + missing});
    }
    order(chain.links, root);
    return chain;
}

Chain target_chain(const std::string& ns, const Target& target,
                   const std::vector<Placement>& placements, std::string_view root, bool network) {
    Chain chain{.ns = ns,
                .labels = {},
                .target = target.kind + "/" + target.name,
                .network = network,
                .links = {}};
    for (const auto& plugin : placements) {
        const bool aims = plugin.ns == ns && std::find(plugin.targets.begin(), plugin.targets.end(),
                                                       target) != plugin.targets.end();
        if (aims && plugin.network == network) {
            chain.links.push_back({plugin, "", ""});
        }
    }
    order(chain.links, root);
    return chain;
}

std::string traffic(const Placement& plugin) {
    std::string text;
    for (const auto& match : plugin.matches) {
        const auto colon = match.find(':');
        const auto mode = match.substr(0, colon);
        auto words = mode == "SERVER"   ? std::string("inbound")
                     : mode == "CLIENT" ? std::string("outbound and gateways")
                                        : std::string("all traffic");
        if (colon != std::string::npos) {
            words += " on " + match.substr(colon + 1);
        }
        text += (text.empty() ? "" : "; ") + words;
    }
    return text;
}

std::string version_of(const Placement& plugin) {
    return plugin.lua ? "Lua" : plugin.version.empty() ? plugin.url : plugin.version;
}

// What Istio itself has between the phases of an HTTP chain.
std::string_view after_phase(Phase phase) {
    switch (phase) {
        case Phase::authn:
            return "Istio authentication (jwt_authn)";
        case Phase::authz:
            return "Istio authorization (rbac)";
        case Phase::stats:
        case Phase::unspecified:
            break;
    }
    return "";
}

// Calls plugin(number, link) and fixed(text) in the order of a request.
template <class OnPlugin, class OnFixed>
void walk(const Chain& chain, const OnPlugin& on_plugin, const OnFixed& on_fixed) {
    std::size_t number = 0;
    std::size_t next = 0;
    for (const auto phase : {Phase::authn, Phase::authz, Phase::stats, Phase::unspecified}) {
        while (next < chain.links.size() && chain.links[next].plugin.phase == phase) {
            on_plugin(++number, chain.links[next++]);
        }
        if (const auto text = after_phase(phase); !text.empty() && !chain.network) {
            on_fixed(text);
        }
    }
    on_fixed(chain.network ? "the rest of the connection" : "cors, Istio telemetry, router");
}

std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            safe += '\\';
        }
        safe += c == '\n' ? ' ' : c;
    }
    return safe;
}

std::string mermaid_text(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (c == '"') {
            safe += "#quot;";
        } else if (c == '<') {
            safe += "&lt;";
        } else {
            safe += c;
        }
    }
    return safe;
}

// What a picture says of a plugin, line by line.
std::vector<std::string> lines_of(std::size_t number, const ChainLink& link) {
    std::vector<std::string> lines = {
        fmt::format("{}. {}", number, title(link.plugin)),
        fmt::format("{} {}", to_string(link.plugin.phase), version_of(link.plugin)), link.why};
    for (auto& more : {traffic(link.plugin), link.condition}) {
        if (!more.empty()) {
            lines.push_back(more);
        }
    }
    return lines;
}

// The lines between `newline`, each made harmless by `escape`.
template <class Escape>
std::string label_of(std::size_t number, const ChainLink& link, std::string_view newline,
                     Escape escape) {
    std::string text;
    for (const auto& line : lines_of(number, link)) {
        text += (text.empty() ? "" : std::string(newline)) + escape(line);
    }
    return text;
}

std::string chain_title(const Chain& chain) {
    std::string where =
        chain.ns.empty() ? "the namespace it is applied to" : "namespace " + chain.ns;
    if (!chain.target.empty()) {
        where += ", " + chain.target;
    } else if (chain.labels.empty()) {
        where += ", every pod";
    } else {
        where += ", pods with " + chain.labels;
    }
    return where + (chain.network ? " (connections)" : "");
}

}  // namespace

std::vector<Chain> build_chains(const std::vector<Placement>& placements,
                                std::string_view root_namespace) {
    std::vector<Chain> chains;
    std::set<std::tuple<std::string, std::string, bool>> seen;
    for (const auto& plugin : placements) {
        if (!plugin.targets.empty()) {
            for (const auto& target : plugin.targets) {
                if (seen.insert({plugin.ns, target.kind + "/" + target.name, plugin.network})
                        .second) {
                    chains.push_back(target_chain(plugin.ns, target, placements, root_namespace,
                                                  plugin.network));
                }
            }
        } else if (seen.insert({plugin.ns, "=" + label_text(plugin), plugin.network}).second) {
            chains.push_back(pods_chain(plugin, placements, root_namespace, plugin.network));
        }
    }
    return chains;
}

std::string chains_text(const std::vector<Chain>& chains) {
    std::string text;
    for (const auto& chain : chains) {
        text += (text.empty() ? "" : "\n") + chain_title(chain) + "\n";
        walk(
            chain,
            [&](std::size_t number, const ChainLink& link) {
                text += fmt::format("  {:>2}. {} {} {}, {}\n", number, to_string(link.plugin.phase),
                                    title(link.plugin), version_of(link.plugin), link.why);
                for (const auto& more : {traffic(link.plugin), link.condition}) {
                    if (!more.empty()) {
                        text += fmt::format("      {}\n", more);
                    }
                }
            },
            [&](std::string_view fixed) { text += fmt::format("   |  {}\n", fixed); });
    }
    return text;
}

std::string chains_mermaid(const std::vector<Chain>& chains) {
    std::string text = "flowchart TD\n";
    std::size_t group = 0;
    for (const auto& chain : chains) {
        ++group;
        std::size_t node = 0;
        text += fmt::format("  subgraph g{}[\"{}\"]\n    g{}n0([request])\n", group,
                            mermaid_text(chain_title(chain)), group);
        const auto add = [&](const std::string& shape) {
            ++node;
            text += fmt::format("    g{0}n{1}{2}\n    g{0}n{3} --> g{0}n{1}\n", group, node, shape,
                                node - 1);
        };
        walk(
            chain,
            [&](std::size_t number, const ChainLink& link) {
                add("[\"" + label_of(number, link, "<br/>", mermaid_text) + "\"]");
            },
            [&](std::string_view fixed) { add(fmt::format("(\"{}\")", mermaid_text(fixed))); });
        text += "  end\n";
    }
    return text;
}

std::string chains_dot(const std::vector<Chain>& chains) {
    std::string text =
        "digraph chain {\n  rankdir=TB;\n  fontname=\"sans-serif\";\n  node [shape=box, "
        "style=\"rounded,filled\", fillcolor=\"#e8f0fe\", fontname=\"sans-serif\", "
        "fontsize=11];\n  edge [color=\"#666666\"];\n";
    std::size_t group = 0;
    for (const auto& chain : chains) {
        ++group;
        std::size_t node = 0;
        text += fmt::format(
            "  subgraph cluster_{0} {{\n    label=\"{1}\";\n    labeljust=l;\n    "
            "color=\"#bbbbbb\";\n    g{0}n0 [label=\"request\", shape=oval, fillcolor=white];\n",
            group, escaped(chain_title(chain)));
        const auto add = [&](const std::string& attributes) {
            ++node;
            text += fmt::format("    g{0}n{1} [{2}];\n    g{0}n{3} -> g{0}n{1};\n", group, node,
                                attributes, node - 1);
        };
        walk(
            chain,
            [&](std::size_t number, const ChainLink& link) {
                add(fmt::format("label=\"{}\"{}", label_of(number, link, "\\n", escaped),
                                link.condition.empty() ? "" : ", style=\"rounded,filled,dashed\""));
            },
            [&](std::string_view fixed) {
                add(fmt::format("label=\"{}\", fillcolor=\"#f2f2f2\", fontcolor=\"#555555\"",
                                escaped(fixed)));
            });
        text += "  }\n";
    }
    return text + "}\n";
}

ordered_json chains_json(const std::vector<Chain>& chains) {
    auto list = ordered_json::array();
    for (const auto& chain : chains) {
        auto plugins = ordered_json::array();
        for (const auto& link : chain.links) {
            plugins.push_back(
                {{"namespace", link.plugin.ns},
                 {"name", link.plugin.name},
                 {"phase", to_string(link.plugin.phase)},
                 {"priority",
                  link.plugin.priority ? ordered_json(*link.plugin.priority) : ordered_json()},
                 {"url", link.plugin.url},
                 {"match", link.plugin.matches},
                 {"why", link.why},
                 {"condition", link.condition},
                 {"file", link.plugin.file},
                 {"line", link.plugin.at.line}});
        }
        list.push_back({{"namespace", chain.ns},
                        {"labels", chain.labels},
                        {"target", chain.target},
                        {"type", chain.network ? "NETWORK" : "HTTP"},
                        {"plugins", std::move(plugins)}});
    }
    return {{"version", 1}, {"chains", std::move(list)}};
}

}  // namespace wasmplug::manifest
