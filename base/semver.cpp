#include "base/semver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.hpp"

namespace wasmplug {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_identifier(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
}

bool all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, is_digit);
}

std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{} || end == text.data()) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

std::string_view take_identifier(std::string_view& text) {
    const std::size_t end = std::min(text.find('.'), text.size());
    const std::string_view identifier = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return identifier;
}

int sign(int value) {
    return value < 0 ? -1 : value > 0 ? 1 : 0;
}

// semver.org §11.4: numbers by value and below words, then by length.
int compare_prereleases(std::string_view a, std::string_view b) {
    if (a.empty() || b.empty()) {
        return a.empty() && b.empty() ? 0 : a.empty() ? 1 : -1;
    }
    while (!a.empty() && !b.empty()) {
        const std::string_view left = take_identifier(a);
        const std::string_view right = take_identifier(b);
        if (left == right) {
            continue;
        }
        const bool left_number = all_digits(left);
        const bool right_number = all_digits(right);
        if (left_number != right_number) {
            return left_number ? -1 : 1;
        }
        if (left_number && left.size() != right.size()) {
            return left.size() < right.size() ? -1 : 1;
        }
        return sign(left.compare(right));
    }
    return a.empty() && b.empty() ? 0 : a.empty() ? -1 : 1;
}

Version next_minor(const Version& version) {
    return {version.major, version.minor + 1, 0, {}, 3};
}

Version next_major(const Version& version) {
    return {version.major + 1, 0, 0, {}, 3};
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') {
        text.remove_prefix(1);
    }
    while (!text.empty() && text.back() == ' ') {
        text.remove_suffix(1);
    }
    return text;
}

}  // namespace

std::optional<Version> parse_version(std::string_view text) {
    if (text.starts_with('v') || text.starts_with('V')) {
        text.remove_prefix(1);
    }
    Version version;
    version.parts = 0;
    for (std::uint64_t* part : {&version.major, &version.minor, &version.patch}) {
        if (version.parts > 0) {
            if (text.size() < 2 || text[0] != '.' || !is_digit(text[1])) {
                break;
            }
            text.remove_prefix(1);
        }
        const auto number = take_number(text);
        if (!number) {
            return std::nullopt;
        }
        *part = *number;
        ++version.parts;
    }
    if (text.starts_with('-')) {
        const std::size_t end = std::min(text.find('+'), text.size());
        version.prerelease = text.substr(1, end - 1);
        if (version.prerelease.empty() || !std::ranges::all_of(version.prerelease, is_identifier)) {
            return std::nullopt;
        }
        text.remove_prefix(end);
    }
    // An image tag cannot hold "+", so Helm's "_" stands for it.
    if (!text.empty() && text[0] != '+' && text[0] != '_') {
        return std::nullopt;
    }
    return version;
}

int compare_versions(const Version& a, const Version& b) {
    const std::array left{a.major, a.minor, a.patch};
    const std::array right{b.major, b.minor, b.patch};
    if (left != right) {
        return left < right ? -1 : 1;
    }
    return compare_prereleases(a.prerelease, b.prerelease);
}

bool newer_tag(std::string_view a, std::string_view b) {
    const auto left = parse_version(a);
    const auto right = parse_version(b);
    if (left.has_value() != right.has_value()) {
        return left.has_value();
    }
    if (left) {
        if (const int order = compare_versions(*left, *right); order != 0) {
            return order > 0;
        }
    }
    return a < b;
}

VersionRange::VersionRange(std::string_view text) {
    const std::string whole(text);
    while (true) {
        const std::size_t end = text.find("||");
        std::string_view alternative = trim(text.substr(0, end));
        auto& bounds = alternatives_.emplace_back();
        if (alternative.empty()) {
            throw usage_error(fmt::format("'{}' is not a version range", whole),
                              "write ~1.4, ^1.2.3, '>=1.2 <2' or 1.x");
        }
        while (!alternative.empty()) {
            // "> = 1.2" is one term: an operator may stand apart from its version.
            const std::size_t version_at = alternative.find_first_not_of("<>=~^ ,");
            const std::size_t stop =
                version_at == std::string_view::npos
                    ? alternative.size()
                    : std::min(alternative.find_first_of(" ,", version_at), alternative.size());
            add_term(alternative.substr(0, stop), bounds);
            alternative.remove_prefix(stop);
            while (!alternative.empty() && (alternative[0] == ' ' || alternative[0] == ',')) {
                alternative.remove_prefix(1);
            }
        }
        if (end == std::string_view::npos) {
            return;
        }
        text.remove_prefix(end + 2);
    }
}

void VersionRange::add_term(std::string_view term, std::vector<Bound>& bounds) {
    using enum Bound::Relation;
    const std::string whole(term);
    const std::size_t begin = std::min(term.find_first_not_of("<>=~^ "), term.size());
    std::string relation(term.substr(0, begin));
    std::erase(relation, ' ');
    std::string_view rest = term.substr(begin);
    while (rest.ends_with(".x") || rest.ends_with(".X") || rest.ends_with(".*")) {
        rest.remove_suffix(2);
    }
    if (relation.empty() && (rest == "*" || rest == "x" || rest == "X")) {
        bounds.push_back({greater_equal, {}});
        return;
    }
    const auto version = parse_version(rest);
    if (!version) {
        throw usage_error(fmt::format("'{}' is not a version range", whole),
                          "write ~1.4, ^1.2.3, '>=1.2 <2' or 1.x");
    }
    const Version after = version->parts == 1 ? next_major(*version) : next_minor(*version);
    const auto between = [&](const Version& end) {
        bounds.push_back({greater_equal, *version});
        bounds.push_back({less, end});
    };
    if (relation.empty() || relation == "=") {
        version->parts == 3 ? bounds.push_back({equal, *version}) : between(after);
    } else if (relation == "~") {
        between(after);
    } else if (relation == "^") {
        const bool zero = version->major == 0 && version->parts > 1;
        const bool zeros = zero && version->minor == 0 && version->parts > 2;
        between(zeros  ? Version{0, 0, version->patch + 1, {}, 3}
                : zero ? next_minor(*version)
                       : next_major(*version));
    } else if (relation == ">=") {
        bounds.push_back({greater_equal, *version});
    } else if (relation == ">") {
        version->parts == 3 ? bounds.push_back({greater, *version})
                            : bounds.push_back({greater_equal, after});
    } else if (relation == "<") {
        bounds.push_back({less, *version});
    } else if (relation == "<=") {
        version->parts == 3 ? bounds.push_back({less_equal, *version})
                            : bounds.push_back({less, after});
    } else {
        throw usage_error(fmt::format("'{}' in '{}' is not a relation", relation, whole));
    }
}

bool VersionRange::holds(const Bound& bound, const Version& version) {
    using enum Bound::Relation;
    const int order = compare_versions(version, bound.version);
    switch (bound.relation) {
        case less:
            return order < 0;
        case less_equal:
            return order <= 0;
        case greater_equal:
            return order >= 0;
        case greater:
            return order > 0;
        case equal:
            return order == 0;
    }
    return false;
}

bool VersionRange::contains(const Version& version) const {
    return std::ranges::any_of(alternatives_, [&](const std::vector<Bound>& bounds) {
        if (!std::ranges::all_of(bounds,
                                 [&](const Bound& bound) { return holds(bound, version); })) {
            return false;
        }
        return version.prerelease.empty() || std::ranges::any_of(bounds, [&](const Bound& bound) {
                   return !bound.version.prerelease.empty() &&
                          bound.version.major == version.major &&
                          bound.version.minor == version.minor &&
                          bound.version.patch == version.patch;
               });
    });
}

std::optional<std::string> VersionRange::newest(const std::vector<std::string>& tags) const {
    std::optional<std::string> best;
    Version best_version;
    for (const auto& tag : tags) {
        const auto version = parse_version(tag);
        // "1.4" and "1" are moving tags; a range picks what stays.
        if (!version || version->parts < 3 || !contains(*version)) {
            continue;
        }
        if (!best || compare_versions(*version, best_version) > 0) {
            best = tag;
            best_version = *version;
        }
    }
    return best;
}

}  // namespace wasmplug
