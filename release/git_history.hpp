#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/services.hpp"

namespace wasmplug::release {

// One state of a file that a commit on the first-parent line left behind.
struct GitVersion {
    std::string commit;  // the full object id
    std::string author;
    std::string at;  // RFC 3339, the author's date
    std::string subject;
    std::string path;  // from the root of the work tree, as it was called then
    std::string text;
};

struct GitHistory {
    std::vector<GitVersion> versions;  // newest first; empty for a file that was never committed
    bool shallow = false;              // the clone ends before the history does
    bool truncated = false;            // there are more than were asked for
    // Not empty: there is no history, and this says why ("is not in a git work tree").
    std::string absence;
};

// Reads the committed states of `file` with the git command: through renames, merges as one step
// of the branch they were merged into, without hooks, locks, pagers or filters.
// Throws only when git itself breaks off.
GitHistory read_git_history(const std::filesystem::path& file, Services& services,
                            std::size_t limit = 200);

}  // namespace wasmplug::release
