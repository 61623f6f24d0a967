#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wasmplug {

// A version as semver.org 2.0.0 writes it, and as image tags spell it: a "v" before it and
// missing parts ("1.4", "v2") are read too. Build metadata ("+abc") does not order.
struct Version {
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
    std::uint64_t patch = 0;
    std::string prerelease;  // "rc.1"
    int parts = 3;           // how many numbers were written
};

// Nothing for what does not start as a version ("latest", "sha-1a2b").
std::optional<Version> parse_version(std::string_view text);

// -1, 0, 1 by semver.org §11.
int compare_versions(const Version& a, const Version& b);

// The order of a list of tags: versions first, the newest first, then the other words by name.
bool newer_tag(std::string_view a, std::string_view b);

// "~1.4", "^1.2.3", ">=1.2 <2", "1.x", "=1.4.2", "1.4", "*", alternatives with "||": the ranges of
// npm and Cargo as far as they agree; a bare "1.4" means 1.4.x.
// A prerelease is in a range only when the same bound names one of the same three numbers.
class VersionRange {
  public:
    // Throws usage_error saying which part is wrong.
    explicit VersionRange(std::string_view text);

    bool contains(const Version& version) const;

    // The newest of `tags` that the range contains, or nothing. Of equal versions ("1.4.0" and
    // "v1.4.0") the first of the list.
    std::optional<std::string> newest(const std::vector<std::string>& tags) const;

  private:
    struct Bound {
        enum class Relation { less, less_equal, greater_equal, greater, equal };
        Relation relation;
        Version version;
    };

    static void add_term(std::string_view term, std::vector<Bound>& bounds);
    static bool holds(const Bound& bound, const Version& version);

    std::vector<std::vector<Bound>> alternatives_;
};

}  // namespace wasmplug
