#include "base/file_walk.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"

namespace wasmplug {
namespace {

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

bool is_left_out(std::string_view folder) {
    return folder.starts_with('.') || folder == "node_modules" || folder == "target";
}

std::string below(const std::string& folder, std::string_view name) {
    std::string path;
    path.reserve(folder.size() + 1 + name.size());
    path += folder;
    if (!path.ends_with('/')) {
        path += '/';
    }
    return path += name;
}

enum class Type { file, folder, other };

// Most file systems say the type with the name, which spares a system call a file.
Type type_of(const dirent& entry, const std::string& folder) {
    switch (entry.d_type) {
        case DT_REG:
            return Type::file;
        case DT_DIR:
            return Type::folder;
        case DT_LNK:
        case DT_UNKNOWN:
            break;
        default:
            return Type::other;
    }
    struct stat info = {};
    const auto path = below(folder, &entry.d_name[0]);
    if (entry.d_type == DT_UNKNOWN && ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
        return Type::folder;
    }
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) ? Type::file : Type::other;
}

}  // namespace

FileWalk::FileWalk(const std::string& root, Entered entered) : entered_(std::move(entered)) {
    if (!enter(root)) {
        throw system_error("cannot read " + root, errno);
    }
}

bool FileWalk::enter(std::string folder) {
    const std::unique_ptr<DIR, CloseFolder> open(::opendir(folder.c_str()));
    if (!open) {
        return false;  // with errno
    }
    Level level{.folder = std::move(folder), .children = {}};
    // NOLINTNEXTLINE(concurrency-mt-unsafe): each folder is read by one thread
    while (const dirent* entry = ::readdir(open.get())) {
        const std::string_view name = &entry->d_name[0];
        if (name == "." || name == "..") {
            continue;
        }
        const auto enters = [&] {
            return entered_ ? entered_(below(level.folder, name)) : !is_left_out(name);
        };
        const Type type = type_of(*entry, level.folder);
        if (type == Type::file || (type == Type::folder && enters())) {
            level.children.push_back({std::string(name), type == Type::folder});
        }
    }
    std::sort(level.children.begin(), level.children.end(),
              [](const Child& a, const Child& b) { return a.name < b.name; });
    levels_.push_back(std::move(level));
    return true;
}

std::optional<std::string> FileWalk::next_file() {
    while (!levels_.empty()) {
        Level& level = levels_.back();
        if (level.at == level.children.size()) {
            levels_.pop_back();
            continue;
        }
        const Child& child = level.children[level.at++];
        auto path = below(level.folder, child.name);
        if (!child.is_folder) {
            return path;
        }
        // What vanished since it was listed is no longer there; what is closed to us was not looked
        // at, and that has to be said. Whoever calls again goes on behind it.
        if (!enter(path) && errno != ENOENT && errno != ENOTDIR) {
            throw system_error("cannot read " + path, errno);
        }
    }
    return std::nullopt;
}

std::vector<std::filesystem::path> find_files(
    const std::filesystem::path& root,
    const std::function<bool(const std::filesystem::path&)>& wanted,
    const std::function<bool(const std::filesystem::path& folder)>& entered) {
    std::error_code error;
    if (!std::filesystem::is_directory(root, error)) {
        if (!std::filesystem::exists(root, error)) {
            throw system_error("cannot read " + root.string(), ENOENT);
        }
        return {root};
    }
    std::vector<std::filesystem::path> found;
    FileWalk walk(root.string(), entered);
    while (auto file = walk.next([](std::string_view) { return true; })) {
        if (std::filesystem::path path = std::move(*file); wanted(path)) {
            found.push_back(std::move(path));
        }
    }
    return found;
}

bool is_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
    const auto relative = path.lexically_relative(folder);
    return !relative.empty() && *relative.begin() != "..";
}

}  // namespace wasmplug
