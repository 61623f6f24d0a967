#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wasmplug {

// The regular files below a folder, one by one, so that a tree of any size is walked in the memory
// of its deepest branch. A folder's entries come in the order of their names; hidden folders,
// `node_modules` and `target` are left out when nothing else says which are entered. Links to files
// are followed, links to folders are not.
class FileWalk {
  public:
    using Entered = std::function<bool(const std::string& folder)>;

    // Throws Error when `root` cannot be read.
    explicit FileWalk(const std::string& root, Entered entered = {});

    // The next file whose name (without its folder) `wanted` accepts; nothing at the end. Throws
    // Error for a folder that may not be read; the next call goes on behind it.
    template <class Wanted>
    std::optional<std::string> next(const Wanted& wanted) {
        while (auto file = next_file()) {
            if (wanted(std::string_view(*file).substr(file->rfind('/') + 1))) {
                return file;
            }
        }
        return std::nullopt;
    }

  private:
    struct Child {
        std::string name;
        bool is_folder;
    };

    struct Level {
        std::string folder;
        std::vector<Child> children;
        std::size_t at = 0;
    };

    std::optional<std::string> next_file();
    bool enter(std::string folder);

    Entered entered_;
    std::vector<Level> levels_;
};

}  // namespace wasmplug
