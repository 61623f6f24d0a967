#include "manifest/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace wasmplug::manifest {
namespace {

constexpr auto npos = std::string_view::npos;

constexpr std::string_view subdomain_rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr std::string_view label_rule =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
constexpr std::string_view qualified_rule =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
constexpr std::string_view value_rule =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

constexpr std::size_t label_limit = 63;
constexpr std::size_t subdomain_limit = 253;

bool lower_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool alphanumeric(char c) {
    return lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

bool is_label(std::string_view text) {
    return !text.empty() && lower_or_digit(text.front()) && lower_or_digit(text.back()) &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return lower_or_digit(c) || c == '-'; });
}

bool is_qualified(std::string_view text) {
    return !text.empty() && alphanumeric(text.front()) && alphanumeric(text.back()) &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace

bool is_subdomain(std::string_view text) {
    for (;;) {
        const auto dot = text.find('.');
        if (!is_label(text.substr(0, dot))) {
            return false;
        }
        if (dot == npos) {
            return true;
        }
        text.remove_prefix(dot + 1);
    }
}

Complaints check_subdomain(std::string_view text) {
    Complaints wrong;
    if (text.size() > subdomain_limit) {
        wrong.push_back(fmt::format("must be no more than {} characters", subdomain_limit));
    }
    if (!is_subdomain(text)) {
        wrong.emplace_back(subdomain_rule);
    }
    return wrong;
}

Complaints check_label(std::string_view text) {
    Complaints wrong;
    if (text.size() > label_limit) {
        wrong.push_back(fmt::format("must be no more than {} characters", label_limit));
    }
    if (!is_label(text)) {
        wrong.emplace_back(is_subdomain(text) ? "must not contain dots" : label_rule);
    }
    return wrong;
}

Complaints check_qualified_name(std::string_view text) {
    Complaints wrong;
    if (std::count(text.begin(), text.end(), '/') > 1) {
        wrong.push_back(
            fmt::format("a valid label key {} with an optional DNS subdomain prefix and "
                        "'/' (e.g. 'example.com/MyName')",
                        qualified_rule));
        return wrong;
    }
    auto name = text;
    if (const auto slash = text.find('/'); slash != npos) {
        const auto prefix = text.substr(0, slash);
        name = text.substr(slash + 1);
        if (prefix.empty()) {
            wrong.emplace_back("prefix part must be non-empty");
        } else {
            if (prefix.size() > subdomain_limit) {
                wrong.push_back(
                    fmt::format("prefix part must be no more than {} bytes", subdomain_limit));
            }
            if (!is_subdomain(prefix)) {
                wrong.push_back(fmt::format("prefix part {}", subdomain_rule));
            }
        }
    }
    if (name.empty()) {
        wrong.emplace_back("name part must be non-empty");
    } else if (name.size() > label_limit) {
        wrong.push_back(fmt::format("name part must be no more than {} bytes", label_limit));
    }
    if (!is_qualified(name)) {
        wrong.push_back(fmt::format("name part {}", qualified_rule));
    }
    return wrong;
}

Complaints check_label_value(std::string_view text) {
    Complaints wrong;
    if (text.size() > label_limit) {
        wrong.push_back(fmt::format("must be no more than {} bytes", label_limit));
    }
    if (!text.empty() && !is_qualified(text)) {
        wrong.emplace_back(value_rule);
    }
    return wrong;
}

std::string similar_subdomain(std::string_view name) {
    std::string better;
    char before = '\0';
    for (const char c : name) {
        const bool word_ends = lower_or_digit(std::exchange(before, c));
        if (lower_or_digit(c) || c == '-' || c == '.') {
            better += c;
        } else if (c >= 'A' && c <= 'Z') {
            if (word_ends) {
                better += '-';  // camelCase
            }
            better += static_cast<char>(c + 32);
        } else if (!better.empty() && better.back() != '-') {
            better += '-';
        }
    }
    while (!better.empty() && !lower_or_digit(better.back())) {
        better.pop_back();
    }
    return is_subdomain(better) && better.size() <= subdomain_limit ? better : "";
}

}  // namespace wasmplug::manifest
