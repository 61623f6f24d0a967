#include "manifest/sources.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/git.hpp"

namespace wasmplug::manifest {
namespace {

namespace fs = std::filesystem;

bool is_glob(const std::string& name) {
    return name.find_first_of("*?[") != std::string::npos;
}

std::vector<std::string> lines_of(const std::string& text, char separator) {
    std::vector<std::string> lines;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const auto end = std::min(text.find(separator, begin), text.size());
        auto line = text.substr(begin, end - begin);
        if (line.ends_with('\r')) {
            line.pop_back();
        }
        if (!line.empty()) {
            lines.push_back(std::move(line));
        }
        begin = end + 1;
    }
    return lines;
}

using Parts = std::vector<std::string>;

// NOLINTNEXTLINE(misc-no-recursion): as deep as the pattern has folders
bool matches(const Parts& pattern, std::size_t p, const Parts& path, std::size_t n) {
    if (p == pattern.size()) {
        return n == path.size();
    }
    if (pattern[p] == "**") {
        for (std::size_t skip = n; skip <= path.size(); ++skip) {
            if (matches(pattern, p + 1, path, skip)) {
                return true;
            }
        }
        return false;
    }
    return n < path.size() && fnmatch(pattern[p].c_str(), path[n].c_str(), FNM_PERIOD) == 0 &&
           matches(pattern, p + 1, path, n + 1);
}

// The files that a glob matches, sorted. Throws Error when there is none.
Parts expand_glob(const std::string& pattern) {
    fs::path base;
    Parts parts;
    for (const auto& part : fs::path(pattern)) {
        if (parts.empty() && !is_glob(part.string())) {
            base /= part;
        } else {
            parts.push_back(part.string());
        }
    }
    const auto root = base.empty() ? fs::path(".") : base;
    std::error_code ignored;
    Parts found;
    if (fs::is_directory(root, ignored)) {
        for (const auto& path : find_files(root, [](const fs::path&) { return true; })) {
            Parts below;
            for (const auto& part : path.lexically_relative(root)) {
                below.push_back(part.string());
            }
            if (matches(parts, 0, below, 0)) {
                found.push_back(base.empty() ? path.lexically_relative(root).string()
                                             : path.string());
            }
        }
    }
    if (found.empty()) {
        throw Error(fmt::format("no file matches {}", pattern));
    }
    return found;
}

// Changed or new since the revision, and below one of `within` when that is not empty.
std::vector<std::string> changed_files(const SourceOptions& options, const Spawn& spawn,
                                       const Cancel& cancel) {
    if (options.changed_since.starts_with('-')) {
        throw usage_error(fmt::format("{} is not a revision", options.changed_since));
    }
    Parts diff = {
        "diff", "--name-only", "-z", "--relative", "--diff-filter=d", options.changed_since, "--"};
    Parts others = {"ls-files", "--others", "--exclude-standard", "-z", "--"};
    diff.insert(diff.end(), options.names.begin(), options.names.end());
    others.insert(others.end(), options.names.begin(), options.names.end());
    auto names = lines_of(git_output({.arguments = std::move(diff)}, spawn, cancel), '\0');
    const auto fresh = lines_of(git_output({.arguments = std::move(others)}, spawn, cancel), '\0');
    names.insert(names.end(), fresh.begin(), fresh.end());
    std::erase_if(names, [](const std::string& name) { return !is_manifest_name(name); });
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

Sources::Sources(const SourceOptions& options, const Spawn& spawn, const Cancel& cancel) {
    if (!options.changed_since.empty()) {
        for (const auto& name : changed_files(options, spawn, cancel)) {
            named_.push_back({.name = name, .text = std::nullopt, .found = true});
        }
        return;
    }
    auto names = options.names;
    if (!options.files_from.empty()) {
        const auto list = options.files_from == "-" ? read_stdin() : read_file(options.files_from);
        const auto more = lines_of(list, list.find('\0') == std::string::npos ? '\n' : '\0');
        names.insert(names.end(), more.begin(), more.end());
    } else if (names.empty()) {
        throw usage_error("no file given", "name files or folders, or - for standard input");
    }
    for (const auto& name : names) {
        std::error_code ignored;
        if (name == "-") {
            if (!seen_.insert(name).second) {
                continue;  // there is but one
            }
            named_.push_back({.name = options.stdin_name, .text = read_stdin(), .found = false});
        } else if (fs::exists(name, ignored)) {
            named_.push_back({.name = name, .text = std::nullopt, .found = false});
        } else if (is_glob(name)) {
            for (auto& file : expand_glob(name)) {
                named_.push_back({.name = std::move(file), .text = std::nullopt, .found = true});
            }
        } else {
            throw Error(fmt::format("cannot read {}: no such file", name.empty() ? "\"\"" : name));
        }
    }
    std::error_code ignored;
    is_one_walk_ = named_.size() == 1 && fs::is_directory(named_.front().name, ignored);
}

bool Sources::is_new(const std::string& name) {
    if (named_.size() == 1) {
        return true;
    }
    std::error_code ignored;
    return seen_.insert(fs::absolute(name, ignored).lexically_normal().string()).second;
}

std::optional<Source> Sources::next_named() {
    while (at_ < named_.size()) {
        Source& source = named_[at_++];
        std::error_code ignored;
        if (source.text) {
            return std::move(source);
        }
        if (!source.found && fs::is_directory(source.name, ignored)) {
            walk_.emplace(source.name);
            return std::nullopt;
        }
        if (is_new(source.name)) {
            return std::move(source);
        }
    }
    return std::nullopt;
}

std::optional<Source> Sources::next() {
    for (;;) {
        while (walk_) {
            auto file = walk_->next(is_manifest_name);
            if (!file) {
                walk_.reset();
            } else if (is_new(*file)) {
                return Source{.name = std::move(*file), .text = std::nullopt, .found = true};
            }
        }
        if (auto source = next_named()) {
            return source;
        }
        if (!walk_) {
            return std::nullopt;
        }
    }
}

std::vector<Source> collect_sources(const SourceOptions& options, const Spawn& spawn,
                                    const Cancel& cancel) {
    Sources sources(options, spawn, cancel);
    std::vector<Source> all;
    while (auto source = sources.next()) {
        all.push_back(std::move(*source));
    }
    return all;
}

yaml::File parse_source(const Source& source) {
    return source.text ? yaml::File::parse(*source.text, source.name)
                       : yaml::File::read(source.name);
}

}  // namespace wasmplug::manifest
