#include "base/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "base/error.hpp"

namespace wasmplug {
namespace fs = std::filesystem;

namespace {

// Between the name of the file and six random characters; what a sweep recognises.
constexpr std::string_view temporary_mark = ".wasmplug-";

std::string read_to_end(int fd, const std::string& name, std::size_t limit) {
    std::string out;
    struct stat info = {};
    if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        out.reserve(std::min(static_cast<std::size_t>(info.st_size), limit) + 1);
    }
    std::size_t used = 0;
    for (;;) {
        out.resize(std::max(out.capacity(), used + 16 * 1024));
        const ssize_t n = ::read(fd, out.data() + used, out.size() - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            throw system_error("cannot read " + name, errno);
        }
        used += static_cast<std::size_t>(n);
        if (used > limit) {
            throw Error(fmt::format("{} is larger than {} bytes", name, limit));
        }
        if (n == 0) {
            out.resize(used);
            return out;
        }
    }
}

Fd open_for_reading(const fs::path& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        throw system_error("cannot read " + path.string(), errno);
    }
    return fd;
}

void sync_folder(const fs::path& folder) {
    const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || (::fsync(fd.get()) != 0 && errno != EINVAL)) {
        throw system_error("cannot sync " + folder.string(), errno);
    }
}

fs::path folder_of(const fs::path& path) {
    return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// The file that a chain of symbolic links ends at; it need not exist.
fs::path link_target(fs::path path) {
    for (int i = 0; i < 40; ++i) {
        std::error_code none;
        if (!fs::is_symlink(path, none)) {
            return path;
        }
        const fs::path next = fs::read_symlink(path, none);
        path = next.is_absolute() ? next : folder_of(path) / next;
    }
    throw system_error("cannot write " + path.string(), ELOOP);
}

// Files that a killed run left beside `path`: nobody else holds its lock now.
void sweep_temporaries(const fs::path& path) {
    const std::string prefix = "." + path.filename().string() + std::string(temporary_mark);
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder_of(path), none)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(prefix) && name.size() == prefix.size() + 6) {
            fs::remove(entry.path(), none);
        }
    }
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t limit) {
    const Fd fd = open_for_reading(path);
    return read_to_end(fd.get(), path.string(), limit);
}

std::optional<std::string> read_file_if_there(const fs::path& path, std::size_t limit) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && (errno == ENOENT || errno == ENOTDIR)) {
        return std::nullopt;
    }
    if (!fd) {
        throw system_error("cannot read " + path.string(), errno);
    }
    return read_to_end(fd.get(), path.string(), limit);
}

std::string read_stdin(std::size_t limit) {
    return read_to_end(STDIN_FILENO, "standard input", limit);
}

FileReader::FileReader(const fs::path& path) : path_(path), fd_(open_for_reading(path)) {
    struct stat info = {};
    if (::fstat(fd_.get(), &info) != 0) {
        throw system_error("cannot read " + path.string(), errno);
    }
    if (!S_ISREG(info.st_mode)) {
        throw Error(path.string() + " is not a regular file");
    }
    size_ = static_cast<std::size_t>(info.st_size);
}

std::size_t FileReader::read_at(std::size_t offset, std::span<char> into) const {
    std::size_t done = 0;
    while (done < into.size()) {
        const ssize_t n = ::pread(fd_.get(), into.data() + done, into.size() - done,
                                  static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            throw system_error("cannot read " + path_.string(), errno);
        }
        if (n == 0) {
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    return done;
}

AtomicFile::AtomicFile(fs::path path, unsigned mode) : path_(link_target(std::move(path))) {
    std::string name =
        (folder_of(path_) / ("." + path_.filename().string() + std::string(temporary_mark)))
            .string() +
        "XXXXXX";
    fd_.reset(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd_) {
        throw system_error("cannot write beside " + path_.string(), errno);
    }
    temporary_ = name;
    struct stat old = {};
    const bool replaces = ::stat(path_.c_str(), &old) == 0;
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(fd_.get(), replaces ? old.st_mode & 07777U : mode & ~mask) != 0) {
        throw system_error("cannot set the mode of " + path_.string(), errno);
    }
    if (replaces) {
        // Only root may give a file away; for everyone else the owner is already right.
        [[maybe_unused]] const int ignored = ::fchown(fd_.get(), old.st_uid, old.st_gid);
    }
}

AtomicFile::~AtomicFile() {
    if (!temporary_.empty()) {
        ::unlink(temporary_.c_str());
    }
}

void AtomicFile::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            throw system_error("cannot write " + path_.string(), errno);
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void AtomicFile::commit() {
    if (::fsync(fd_.get()) != 0) {
        throw system_error("cannot write " + path_.string(), errno);
    }
    fd_.reset();
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
        throw system_error("cannot write " + path_.string(), errno);
    }
    temporary_.clear();
    sync_folder(folder_of(path_));
}

void write_file(const fs::path& path, std::string_view bytes, unsigned mode) {
    AtomicFile file(path, mode);
    file.write(bytes);
    file.commit();
}

LockedFile::LockedFile(const fs::path& path) : path_(link_target(path)) {
    // The folder is locked, not the file: a rename replaces the file's inode, and a lock on the
    // old one would let a second writer in.
    const fs::path folder = folder_of(path_);
    lock_.reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock_) {
        throw system_error("cannot open " + folder.string(), errno);
    }
    while (::flock(lock_.get(), LOCK_EX) != 0) {
        if (errno != EINTR) {
            throw system_error("cannot lock " + folder.string(), errno);
        }
    }
    sweep_temporaries(path_);
    text_ = read_file(path_);
}

void LockedFile::replace(std::string_view bytes) {
    if (bytes == text_) {
        return;
    }
    AtomicFile file(path_);
    file.write(bytes);
    if (read_file_if_there(path_) != text_) {
        throw Error(path_.string() + " was changed by somebody else meanwhile",
                    "nothing was written; run the command again", ExitCode::changed);
    }
    file.commit();
    text_ = bytes;
}

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "wasmplug-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        throw system_error("cannot make a temporary folder", errno);
    }
    path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code none;
    fs::remove_all(path_, none);
}

std::vector<fs::path> find_files(const fs::path& root,
                                 const std::function<bool(const fs::path&)>& wanted) {
    std::vector<fs::path> found;
    std::error_code error;
    if (!fs::is_directory(root, error)) {
        if (!fs::exists(root, error)) {
            throw system_error("cannot read " + root.string(), ENOENT);
        }
        found.push_back(root);
        return found;
    }
    fs::recursive_directory_iterator at(root, fs::directory_options::skip_permission_denied, error);
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
        const std::string name = at->path().filename().string();
        if (at->is_directory(error) && !at->is_symlink(error)) {
            if (name.starts_with('.') || name == "node_modules" || name == "target") {
                at.disable_recursion_pending();
            }
        } else if (at->is_regular_file(error) && wanted(at->path())) {
            found.push_back(at->path());
        }
    }
    if (error) {
        throw Error(fmt::format("cannot read {}: {}", root.string(), error.message()));
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace wasmplug
