#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "manifest/objects.hpp"

namespace wasmplug::manifest {

enum class Phase { authn, authz, stats, unspecified };

std::string_view to_string(Phase phase);

struct Target {
    std::string kind;
    std::string name;

    bool operator==(const Target&) const = default;
};

// Where a plugin runs and in which place, without the tree it was read from.
struct Placement {
    std::string file;
    std::size_t document = 0;  // number in the caller's own list
    yaml::Position at;         // of its name
    Kind kind = Kind::wasm_plugin;
    std::string ns;
    std::string name;
    std::string url;
    std::string sha256;
    std::string repository;  // of the image, without tag; else the url
    std::string version;     // tag or digest
    bool network = false;
    bool lua = false;
    Phase phase = Phase::unspecified;
    std::optional<std::int64_t> priority;
    std::vector<std::pair<std::string, std::string>> labels;  // of the selector
    std::vector<Target> targets;
    std::string fail_strategy;
    std::vector<std::string> matches;  // "SERVER:8080", empty: all traffic
};

// Of an object that is ours.
Placement place(const Object& object, std::size_t document);

enum class Overlap { none, possible, certain };

// Whether pods exist that both select. Possible: neither selector contradicts the other, but
// they name different labels. Plugins in other namespaces meet only through the root namespace.
Overlap overlap(const Placement& a, const Placement& b, std::string_view root_namespace);

// Whether `a` stands before `b` on a request, by what the manifests say; nothing when only the age
// of the objects decides. pilot/pkg/model/push_context.go, sortByPriority.
std::optional<bool> runs_before(const Placement& a, const Placement& b,
                                std::string_view root_namespace);

// The same as a strict order: before creation times are known, the name decides among equals, as
// it does between objects of one second.
bool stands_before(const Placement& a, const Placement& b, std::string_view root_namespace);

// "app=shop,tier=web"
std::string label_text(const Placement& placement);

}  // namespace wasmplug::manifest
