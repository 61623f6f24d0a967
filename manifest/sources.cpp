#include "manifest/sources.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.hpp"
#include "base/file.hpp"

namespace wasmplug::manifest {
namespace {

namespace fs = std::filesystem;

bool is_manifest_name(const fs::path& path) {
    const auto extension = path.extension();
    return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

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

class Collector {
  public:
    void add_file(const std::string& name, bool found) {
        if (seen_.insert(fs::path(name).lexically_normal().string()).second) {
            sources_.push_back({.name = name, .text = std::nullopt, .found = found});
        }
    }

    void add_text(const std::string& name, std::string text) {
        sources_.push_back({.name = name, .text = std::move(text), .found = false});
    }

    void add_folder(const fs::path& folder) {
        for (const auto& path : find_files(folder, is_manifest_name)) {
            add_file(path.string(), true);
        }
    }

    void add_glob(const std::string& pattern) {
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
        const auto before = sources_.size();
        if (fs::is_directory(root, ignored)) {
            for (const auto& path : find_files(root, [](const fs::path&) { return true; })) {
                Parts below;
                for (const auto& part : path.lexically_relative(root)) {
                    below.push_back(part.string());
                }
                if (matches(parts, 0, below, 0)) {
                    add_file(base.empty() ? path.lexically_relative(root).string() : path.string(),
                             true);
                }
            }
        }
        if (sources_.size() == before) {
            throw Error(fmt::format("no file matches {}", pattern));
        }
    }

    std::vector<Source> take() { return std::move(sources_); }

  private:
    std::vector<Source> sources_;
    std::set<std::string> seen_;
};

std::string git(const Parts& arguments, const Spawn& spawn, const Cancel& cancel) {
    ProcessSpec spec;
    spec.argv = {"git"};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    const auto result = spawn(spec, cancel);
    if (result.exit_code != 0) {
        auto reason = result.err.substr(0, result.err.find('\n'));
        throw Error(fmt::format("git {}: {}", arguments.front(), reason));
    }
    return result.out;
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
    auto names = lines_of(git(diff, spawn, cancel), '\0');
    const auto fresh = lines_of(git(others, spawn, cancel), '\0');
    names.insert(names.end(), fresh.begin(), fresh.end());
    std::erase_if(names, [](const std::string& name) { return !is_manifest_name(name); });
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

std::vector<Source> collect_sources(const SourceOptions& options, const Spawn& spawn,
                                    const Cancel& cancel) {
    Collector collector;
    if (!options.changed_since.empty()) {
        for (const auto& name : changed_files(options, spawn, cancel)) {
            collector.add_file(name, true);
        }
        return collector.take();
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
            collector.add_text(options.stdin_name, read_stdin());
        } else if (fs::is_directory(name, ignored)) {
            collector.add_folder(name);
        } else if (!fs::exists(name, ignored) && is_glob(name)) {
            collector.add_glob(name);
        } else if (!fs::exists(name, ignored)) {
            throw Error(fmt::format("cannot read {}: no such file", name));
        } else {
            collector.add_file(name, false);
        }
    }
    return collector.take();
}

yaml::File parse_source(const Source& source) {
    return source.text ? yaml::File::parse(*source.text, source.name)
                       : yaml::File::read(source.name);
}

}  // namespace wasmplug::manifest
