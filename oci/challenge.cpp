#include "oci/challenge.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/image_reference.hpp"
#include "base/terminal.hpp"
#include "base/text.hpp"

namespace wasmplug::oci {
namespace {

bool is_token_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {}

    bool end() const { return at_ >= text_.size(); }

    void skip(std::string_view what) {
        at_ = std::min(text_.find_first_not_of(what, at_), text_.size());
    }

    bool take(char c) {
        if (end() || text_[at_] != c) {
            return false;
        }
        ++at_;
        return true;
    }

    std::string token() {
        std::string out;
        while (!end() && is_token_char(text_[at_])) {
            out += text_[at_++];
        }
        return out;
    }

    // After an "=": a quoted string, or all up to a comma or space (realms are sometimes bare).
    std::string value() {
        std::string out;
        if (!take('"')) {
            const std::size_t stop = std::min(text_.find_first_of(", \t", at_), text_.size());
            out = text_.substr(at_, stop - at_);
            at_ = stop;
            return out;
        }
        while (!end() && text_[at_] != '"') {
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
                ++at_;
            }
            out += text_[at_++];
        }
        take('"');
        return out;
    }

    std::size_t position() const { return at_; }

    void back_to(std::size_t position) { at_ = position; }

    void advance() { ++at_; }

  private:
    std::string_view text_;
    std::size_t at_ = 0;
};

bool is_private_realm_host(const std::string& host) {
    return is_private_address(host) || lower_case(host_without_port(host)) == "localhost";
}

}  // namespace

std::string Challenge::get(const std::string& name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string{} : found->second;
}

std::vector<Challenge> parse_challenges(std::string_view value) {
    std::vector<Challenge> out;
    Scanner scan(value.substr(0, 16'384));
    while (!scan.end()) {
        scan.skip(", \t");
        const std::string word = scan.token();
        if (word.empty()) {
            if (!scan.end()) {
                scan.advance();
            }
            continue;
        }
        const std::size_t after_word = scan.position();
        scan.skip(" \t");
        // "name=value" belongs to the challenge before it, any other word begins a new one.
        if (!out.empty() && scan.take('=')) {
            scan.skip(" \t");
            out.back().parameters.emplace(lower_case(word), scan.value());
        } else {
            scan.back_to(after_word);
            out.push_back({.scheme = lower_case(word)});
        }
    }
    return out;
}

std::vector<Challenge> parse_challenges(const Headers& headers) {
    std::vector<Challenge> out;
    for (const auto& [name, value] : headers) {
        if (lower_case(name) == "www-authenticate") {
            for (auto& challenge : parse_challenges(value)) {
                out.push_back(std::move(challenge));
            }
        }
    }
    return out;
}

std::optional<Challenge> choose_challenge(const std::vector<Challenge>& challenges) {
    for (const char* scheme : {"bearer", "basic"}) {
        const auto found = std::ranges::find(challenges, scheme, &Challenge::scheme);
        if (found != challenges.end()) {
            return *found;
        }
    }
    return std::nullopt;
}

std::string realm_problem(const std::string& realm, const Url& registry) {
    const auto url = parse_url(realm);
    const std::string shown = printable(elide_middle(display_url(realm), 200));
    if (!url) {
        return fmt::format("its token realm '{}' is no URL", shown);
    }
    if (url->scheme == "http" && registry.scheme == "https") {
        return fmt::format("its token realm {} is plain http", shown);
    }
    if (url->host != registry.host &&
        (is_metadata_host(url->host) ||
         (is_private_realm_host(url->host) && !is_private_realm_host(registry.host)))) {
        return fmt::format("its token realm {} is a private address", shown);
    }
    return {};
}

bool is_metadata_host(const std::string& host) {
    const std::string name = host_without_port(host);
    return name.starts_with("169.254.") || name.starts_with("fe80:") ||
           name == "metadata.google.internal" || name == "100.100.100.200" ||
           name == "fd00:ec2::254";
}

std::string istio_realm_problem(const std::string& realm) {
    const auto url = parse_url(realm);
    if (!url) {
        const std::size_t colon = realm.find("://");
        return fmt::format("realm scheme \"{}\" not allowed",
                           printable(colon == std::string::npos ? "" : realm.substr(0, colon)));
    }
    if (is_private_realm_host(url->host) || url->host == "metadata.google.internal") {
        return "realm targets private/loopback/link-local IP";
    }
    return {};
}

}  // namespace wasmplug::oci
