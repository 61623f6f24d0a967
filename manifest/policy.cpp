#include "manifest/policy.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/file.hpp"
#include "base/terminal.hpp"
#include "istio/plugin_url.hpp"
#include "manifest/placement.hpp"

namespace wasmplug::manifest {
namespace {

namespace fs = std::filesystem;
using yaml::Node;

using Words = std::vector<std::string>;

bool fits(const std::string& pattern, const std::string& text) {
    return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

bool any_fits(const Words& patterns, const std::string& text) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return fits(pattern, text); });
}

class Reader {
  public:
    explicit Reader(const yaml::File& file) : file_(file) {}

    Policy read() {
        policy_.file = file_.name();
        const auto& root = file_.single();
        if (root.is_null()) {
            return policy_;
        }
        section(root, "",
                {"version", "registries", "transports", "digest", "tags", "failStrategy",
                 "namespaces", "labels", "scope", "priority", "rules", "except"});
        check_version(root);
        policy_.registries_allowed = list(root, "registries", "allowed", {"allowed"});
        policy_.transports_allowed = list(root, "transports", "allowed", {"allowed"});
        policy_.tags_forbidden = list(root, "tags", "forbidden", {"forbidden"});
        policy_.fail_strategies_forbidden = list(root, "failStrategy", "forbidden", {"forbidden"});
        policy_.namespaces_allowed = list(root, "namespaces", "allowed", {"allowed", "forbidden"});
        policy_.namespaces_forbidden =
            list(root, "namespaces", "forbidden", {"allowed", "forbidden"});
        policy_.labels_required = list(root, "labels", "required", {"required"});
        policy_.except = words(root.find("except"), "except");
        policy_.digest_required = required(root, "digest");
        policy_.scope_required = required(root, "scope");
        read_priority(root);
        read_levels(root);
        return policy_;
    }

  private:
    [[noreturn]] void refuse(const Node& node, const std::string& message,
                             const std::string& hint = {}) const {
        throw file_.error(node.range(), message, hint);
    }

    void section(const Node& node, const std::string& name, const Words& known) const {
        if (!node.is_mapping()) {
            refuse(node, fmt::format("{} has to be a mapping", name.empty() ? "a policy" : name));
        }
        for (const auto entry : node.entries()) {
            const auto key = entry.key.key_text();
            if (std::find(known.begin(), known.end(), key) == known.end()) {
                const auto guess = closest(key, known);
                refuse(entry.key,
                       fmt::format("there is no {}{}{}", name, name.empty() ? "" : ".", key),
                       guess.empty() ? fmt::format("known are {}", fmt::join(known, ", "))
                                     : fmt::format("did you mean {}?", guess));
            }
        }
    }

    void check_version(const Node& root) const {
        const auto* version = root.find("version");
        if (version != nullptr && version->as_int() != 1) {
            refuse(*version, "this wasmplug reads policies of version 1");
        }
    }

    Words words(const Node* node, const std::string& name) const {
        Words all;
        if (node == nullptr || node->is_null()) {
            return all;
        }
        if (!node->is_sequence()) {
            refuse(*node, name + " has to be a list");
        }
        for (const auto& item : node->items()) {
            const auto text = item.as_string();
            if (!text) {
                refuse(item, name + " holds strings");
            }
            all.emplace_back(*text);
        }
        return all;
    }

    Words list(const Node& root, const std::string& name, const std::string& key,
               const Words& known) const {
        const auto* node = root.find(name);
        if (node == nullptr || node->is_null()) {
            return {};
        }
        section(*node, name, known);
        return words(node->find(key), name + "." + key);
    }

    // "digest: required" or "digest: optional"
    bool required(const Node& root, const std::string& name) const {
        const auto* node = root.find(name);
        if (node == nullptr || node->is_null()) {
            return false;
        }
        const auto text = node->as_string().value_or("");
        if (text != "required" && text != "optional") {
            refuse(*node, name + " is required or optional");
        }
        return text == "required";
    }

    void read_priority(const Node& root) {
        const auto* node = root.find("priority");
        if (node == nullptr || node->is_null()) {
            return;
        }
        section(*node, "priority", {"min", "max"});
        for (const auto& [key, into] :
             {std::pair("min", &policy_.priority_min), std::pair("max", &policy_.priority_max)}) {
            if (const auto* value = node->find(key)) {
                *into = value->as_int();
                if (!*into) {
                    refuse(*value, fmt::format("priority.{} has to be a number", key));
                }
            }
        }
    }

    void read_levels(const Node& root) {
        const auto* node = root.find("rules");
        if (node == nullptr || node->is_null()) {
            return;
        }
        if (!node->is_mapping()) {
            refuse(*node, "rules has to be a mapping");
        }
        for (const auto entry : node->entries()) {
            const auto* rule = find_rule(entry.key.key_text());
            if (rule == nullptr) {
                refuse(entry.key, fmt::format("there is no rule {}", entry.key.key_text()));
            }
            const auto text = entry.value.text();
            std::optional<Level> level;
            for (const auto known : {Level::hint, Level::warning, Level::error}) {
                if (text == to_string(known)) {
                    level = known;
                }
            }
            if (!level && text != "off") {
                refuse(entry.value, "a rule is off, hint, warning or error");
            }
            policy_.levels[std::string(rule->id)] = level;
        }
    }

    const yaml::File& file_;
    Policy policy_;
};

bool allows_registry(const Policy& policy, const std::string& name, const std::string& host) {
    return std::ranges::any_of(policy.registries_allowed, [&](const std::string& allowed) {
        return fits(allowed, host) || fits(allowed, name) || name.starts_with(allowed + "/");
    });
}

struct Objection {
    std::string_view rule;
    std::string message;
};

bool is_excepted(const Policy& policy, std::string_view ns, std::string_view name) {
    return any_fits(policy.except, fmt::format("{}/{}", ns, name));
}

// Every objection names the file that it comes from.
void add(Findings& findings, const Policy& policy, std::string_view rule, yaml::Range range,
         const std::string& path, const std::string& message) {
    findings.add(rule, {}, range, fmt::format("{} ({})", message, policy.file)).path = path;
}

std::vector<Objection> objections_to_tag(const std::string& tag, const Policy& policy) {
    if (tag.empty() || !any_fits(policy.tags_forbidden, tag)) {
        return {};
    }
    return {{"WP407", fmt::format("the tag {} is forbidden", tag)}};
}

std::vector<Objection> objections_to_url(const std::string& url, bool pinned,
                                         const Policy& policy) {
    std::vector<Objection> all;
    const auto read = istio::read_plugin_url(url);
    const std::string transport = read.transport == istio::Transport::file  ? "file"
                                  : read.transport == istio::Transport::oci ? "oci"
                                  : read.scheme_as_written.size() == 5      ? "https"
                                                                            : "http";
    const auto& transports = policy.transports_allowed;
    if (!transports.empty() && !any_fits(transports, transport)) {
        all.push_back({"WP408", fmt::format("{} is not allowed, only {}", transport,
                                            fmt::join(transports, ", "))});
    }
    if (policy.digest_required && !pinned && (!read.image || read.image->digest.empty())) {
        all.push_back({"WP402", "a digest is required, in the url or as sha256"});
    }
    if (!read.image) {
        return all;
    }
    const auto host = read.image->registry.empty() ? "docker.io" : read.image->registry;
    const auto& registries = policy.registries_allowed;
    if (!registries.empty() &&
        !allows_registry(policy, host + "/" + read.image->repository, host)) {
        all.push_back({"WP401", fmt::format("{} is not allowed, only {}", host,
                                            fmt::join(registries, ", "))});
    }
    const auto tag =
        read.image->tag.empty() && read.image->digest.empty() ? "latest" : read.image->tag;
    for (auto& one : objections_to_tag(tag, policy)) {
        all.push_back(std::move(one));
    }
    return all;
}

class PolicyCheck {
  public:
    PolicyCheck(const Object& object, const Policy& policy, Findings& findings)
        : object_(object), policy_(policy), findings_(findings) {}

    void check() {
        check_namespace();
        check_labels();
        const auto* spec = object_.spec();
        if (spec == nullptr) {
            return;
        }
        check_scope(*spec);
        if (const auto* payload = object_.payload()) {
            check_payload(*payload);
        }
    }

  private:
    void add(std::string_view rule, const std::string& path, yaml::Range range,
             const std::string& message) {
        manifest::add(findings_, policy_, rule, range, path, message);
    }

    void check_namespace() {
        const std::string ns(object_.ns);
        if (ns.empty()) {
            return;  // decided by who applies it
        }
        const auto& allowed = policy_.namespaces_allowed;
        const bool refused = (!allowed.empty() && !any_fits(allowed, ns)) ||
                             any_fits(policy_.namespaces_forbidden, ns);
        if (refused) {
            add("WP404", "metadata.namespace",
                key_range(*object_.root->find("metadata"), "namespace"),
                fmt::format("plugins may not be in the namespace {}", ns));
        }
    }

    void check_labels() {
        const auto* metadata = object_.root->find("metadata");
        const auto* labels = metadata == nullptr ? nullptr : metadata->find("labels");
        for (const auto& wanted : policy_.labels_required) {
            if (text_at(labels, wanted).empty()) {
                add("WP405", "metadata.labels",
                    metadata == nullptr ? beginning_of(*object_.root)
                                        : key_range(*object_.root, "metadata"),
                    fmt::format("the label {} is missing", wanted));
            }
        }
    }

    void check_scope(const Node& spec) {
        const auto placement = place(object_, 0);
        if (policy_.scope_required && placement.labels.empty() && placement.targets.empty()) {
            add("WP406", "spec", key_range(*object_.root, "spec"),
                "a selector or targets are required");
        }
        const auto priority = placement.priority;
        const bool outside =
            priority && ((policy_.priority_min && *priority < *policy_.priority_min) ||
                         (policy_.priority_max && *priority > *policy_.priority_max));
        if (outside) {
            add("WP409", "spec.priority", spec.find("priority")->range(),
                fmt::format("the priority {} is reserved", *priority));
        }
    }

    void check_payload(const Node& payload) {
        const auto prefix = std::string(object_.payload_path());
        const auto strategy = text_at(&payload, "failStrategy");
        const std::string effective(strategy.empty() ? "FAIL_CLOSE" : strategy);
        if (any_fits(policy_.fail_strategies_forbidden, effective)) {
            const auto* value = payload.find("failStrategy");
            add("WP403", prefix + "failStrategy",
                value == nullptr ? beginning_of(payload) : value->range(),
                fmt::format("failStrategy {} is forbidden{}", effective,
                            strategy.empty() ? "; it is the default" : ""));
        }
        const auto* url = payload.find("url");
        if (url == nullptr || !url->is_string()) {
            return;
        }
        check_url(payload, *url, prefix);
    }

    void check_url(const Node& payload, const Node& url, const std::string& prefix) {
        const bool pinned = !text_at(&payload, "sha256").empty();
        for (const auto& [rule, message] :
             objections_to_url(std::string(*url.as_string()), pinned, policy_)) {
            add(rule, prefix + "url", url.range(), message);
        }
    }

    const Object& object_;
    const Policy& policy_;
    Findings& findings_;
};

}  // namespace

Policy read_policy(const yaml::File& file) {
    return Reader(file.checked()).read();
}

Policies::Policies(const PolicyChoice& choice)
    : looks_around_(!choice.none && choice.file.empty()),
      common_(choice.none || choice.file.empty() ? nullptr : read(choice.file)) {}

const Policy* Policies::read(const fs::path& file) {
    read_.push_back(std::make_unique<const Policy>(read_policy(yaml::File::read(file))));
    return read_.back().get();
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the folder's path
const Policies::Folder& Policies::look_at(const fs::path& folder) {
    const auto known = folders_.find(folder.native());
    if (known != folders_.end()) {
        return known->second;
    }
    Folder found;
    std::error_code ignored;
    const auto file = folder / ".wasmplug" / "policy.yaml";
    if (fs::is_regular_file(file, ignored)) {
        found.own = found.nearest = read(file);
    }
    if (fs::exists(folder / ".git", ignored)) {
        found.in_work_tree = true;
    } else if (folder != folder.parent_path()) {
        const auto& above = look_at(folder.parent_path());
        found.in_work_tree = above.in_work_tree;
        found.nearest = found.own == nullptr ? above.nearest : found.own;
    }
    return folders_.emplace(folder.native(), found).first->second;
}

const Policy* Policies::of(std::string_view file) {
    if (!looks_around_) {
        return common_;
    }
    const auto slash = file.rfind('/');
    const auto folder = slash == std::string_view::npos ? "." : file.substr(0, slash + 1);
    const auto known = by_folder_.find(folder);
    if (known != by_folder_.end()) {
        return known->second;
    }
    const auto& found = look_at(absolute_folder_of(file));
    // No work tree: a policy somewhere above is not ours to obey.
    const auto* policy = found.in_work_tree ? found.nearest : found.own;
    by_folder_.emplace(folder, policy);
    return policy;
}

void check_policy(const Object& object, const Policy& policy, Findings& findings) {
    if (!is_excepted(policy, object.ns, object.name)) {
        PolicyCheck(object, policy, findings).check();
    }
}

void apply_levels(const Policy& policy, std::vector<Diagnostic>& findings) {
    std::erase_if(findings, [&](Diagnostic& finding) {
        const auto found = policy.levels.find(finding.rule->id);
        if (found == policy.levels.end()) {
            return false;
        }
        finding.level = found->second.value_or(finding.level);
        return !found->second;
    });
}

namespace {

// What is left once comments and the policy's own levels have been heeded.
DocumentResult settled(const Object& object, Findings findings, const Policy& policy) {
    auto result =
        summarize({.object = object, .findings = std::move(findings.all()), .skipped = {}});
    apply_levels(policy, result.findings);
    finish(result);
    // A comment that silences another layer's rule is not idle because nobody asked that layer.
    std::erase_if(result.findings,
                  [](const Diagnostic& finding) { return finding.rule->id == "WP302"; });
    return result;
}

}  // namespace

std::vector<DocumentResult> judge_by_policy(const yaml::File& file, const Policy& policy) {
    std::vector<DocumentResult> results;
    for (const auto& object : objects_in(file)) {
        if (object.identity == Identity::ours) {
            Findings findings;
            check_policy(object, policy, findings);
            results.push_back(settled(object, std::move(findings), policy));
        }
    }
    return results;
}

DocumentResult judge_by_policy(const yaml::File& file, std::size_t document,
                               const LooseVersion& version, const Policy& policy) {
    const auto& within = file.documents()[document];
    const Object around{.file = file,
                        .root = within.root,
                        .index = document,
                        .range = within.range,
                        .ns = version.ns,
                        .name = version.name};
    Findings findings;
    if (!is_excepted(policy, version.ns, version.name)) {
        for (const auto& [rule, message] :
             version.url.empty() ? objections_to_tag(version.tag, policy)
                                 : objections_to_url(version.url, version.pinned, policy)) {
            add(findings, policy, rule, version.range, version.path, message);
        }
    }
    return settled(around, std::move(findings), policy);
}

}  // namespace wasmplug::manifest
