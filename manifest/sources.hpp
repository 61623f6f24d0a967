#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_walk.hpp"
#include "base/process.hpp"
#include "base/yaml.hpp"

namespace wasmplug::manifest {

// How the command line names manifests.
struct SourceOptions {
    std::vector<std::string> names;  // files, folders, globs, "-"
    std::string files_from;          // a file with one name a line, "-" for standard input
    std::string changed_since;       // a git revision
    std::string stdin_name = "<stdin>";
};

// A file to read, or text that was read from standard input.
struct Source {
    std::string name;
    std::optional<std::string> text;
    bool found = false;  // by walking, a glob or git: nobody said that this one is a manifest
};

// Whether a file of this name is read when nobody has named it.
inline bool is_manifest_name(std::string_view name) {
    return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

// The files that a command line names, one by one: in the order named, folders sorted, each file
// once. Folders give .yaml, .yml and .json; "**" in a glob stands for any number of folders.
class Sources {
  public:
    // Throws Error for a name that does not exist and usage_error when nothing is named.
    Sources(const SourceOptions& options, const Spawn& spawn, const Cancel& cancel);

    // Nothing at the end.
    std::optional<Source> next();

    // Whether one folder is all there is: a file then is followed by no file of a folder that the
    // walk has left.
    bool is_one_walk() const { return is_one_walk_; }

  private:
    std::optional<Source> next_named();
    bool is_new(const std::string& name);

    std::vector<Source> named_;  // in order; folders are walked when their turn comes
    std::size_t at_ = 0;
    std::optional<FileWalk> walk_;
    std::set<std::string> seen_;  // empty when nothing can come twice
    bool is_one_walk_ = false;
};

// All at once.
std::vector<Source> collect_sources(const SourceOptions& options, const Spawn& spawn,
                                    const Cancel& cancel);

yaml::File parse_source(const Source& source);

}  // namespace wasmplug::manifest
