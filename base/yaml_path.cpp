#include <charconv>

#include "base/yaml.hpp"

namespace wasmplug::yaml {
namespace {

bool is_bare(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '/' || static_cast<signed char>(c) < 0;
}

// Reads what stands between '[' and ']' and moves past it.
std::optional<Path::Step> bracket(std::string_view& text) {
    text.remove_prefix(1);
    Path::Step step;
    if (!text.empty() && (text.front() == '"' || text.front() == '\'')) {
        const char quote = text.front();
        std::size_t at = 1;
        for (; at < text.size() && text[at] != quote; ++at) {
            if (text[at] == '\\' && at + 1 < text.size()) {
                ++at;
            }
            step.key.push_back(text[at]);
        }
        text.remove_prefix(std::min(at + 1, text.size()));
    } else {
        step.is_index = true;
        const auto result = std::from_chars(text.data(), text.data() + text.size(), step.index);
        if (result.ec != std::errc{}) {
            return std::nullopt;
        }
        text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
    }
    if (!text.starts_with(']')) {
        return std::nullopt;
    }
    text.remove_prefix(1);
    return step;
}

}  // namespace

Path::Path(std::initializer_list<std::string_view> keys) {
    for (const auto key : keys) {
        steps_.push_back({.key = std::string(key)});
    }
}

std::optional<Path> Path::parse(std::string_view text) {
    Path path;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        if (text.empty()) {
            return path;
        }
    }
    while (!text.empty()) {
        if (text.front() == '[') {
            auto step = bracket(text);
            if (!step) {
                return std::nullopt;
            }
            path.steps_.push_back(std::move(*step));
        } else {
            std::size_t size = 0;
            while (size < text.size() && is_bare(text[size])) {
                ++size;
            }
            if (size == 0) {
                return std::nullopt;
            }
            path.steps_.push_back({.key = std::string(text.substr(0, size))});
            text.remove_prefix(size);
        }
        if (text.starts_with('.')) {
            text.remove_prefix(1);
            if (text.empty()) {
                return std::nullopt;
            }
        } else if (!text.empty() && text.front() != '[') {
            return std::nullopt;
        }
    }
    return path;
}

Path Path::operator/(std::string_view key) const {
    Path path = *this;
    path.steps_.push_back({.key = std::string(key)});
    return path;
}

Path Path::operator/(std::size_t index) const {
    Path path = *this;
    path.steps_.push_back({.index = index, .is_index = true});
    return path;
}

Path Path::operator/(const Path& below) const {
    Path path = *this;
    path.steps_.insert(path.steps_.end(), below.steps_.begin(), below.steps_.end());
    return path;
}

Path Path::parent() const {
    Path path = *this;
    path.steps_.pop_back();
    return path;
}

bool Path::starts_with(const Path& above) const {
    if (above.steps_.size() > steps_.size()) {
        return false;
    }
    for (std::size_t i = 0; i < above.steps_.size(); ++i) {
        if (above.steps_[i] != steps_[i]) {
            return false;
        }
    }
    return true;
}

std::string Path::to_string() const {
    std::string text;
    for (const auto& step : steps_) {
        if (step.is_index) {
            text += "[" + std::to_string(step.index) + "]";
            continue;
        }
        bool bare = !step.key.empty();
        for (const char c : step.key) {
            bare = bare && is_bare(c);
        }
        if (bare) {
            text += (text.empty() ? "" : ".") + step.key;
            continue;
        }
        text += "[\"";
        for (const char c : step.key) {
            if (c == '"' || c == '\\') {
                text.push_back('\\');
            }
            text.push_back(c);
        }
        text += "\"]";
    }
    return text;
}

}  // namespace wasmplug::yaml
