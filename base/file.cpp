#include "base/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "base/parallel.hpp"

namespace wasmplug {
namespace fs = std::filesystem;

namespace {

// Between the name of the file and six random characters; what a sweep recognises.
constexpr std::string_view temporary_mark = ".wasmplug-";

// More waits for the disk at once than processors: the file system answers them together.
constexpr std::size_t sync_threads = 256;

std::string read_to_end(int fd, const std::string& name, std::size_t limit) {
    std::string out;
    std::size_t size = 0;  // as far as it is known; /proc says 0
    struct stat info = {};
    if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        size = static_cast<std::size_t>(info.st_size);
        // With one byte more than is there, a single read finds the end.
        out.resize(std::min(size, limit) + 1);
    }
    std::size_t used = 0;
    for (;;) {
        if (out.size() == used) {
            out.resize(std::max(out.capacity(), used + std::size_t{16} * 1024));
        }
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
        if (n == 0 || (used == size && used < out.size())) {
            out.resize(used);
            return out;
        }
    }
}

void write_to(int fd, std::string_view bytes, const std::string& name) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            throw system_error("cannot write " + name, errno);
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
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

// Files that a killed run left beside those called `names`: nobody else holds the folder's lock
// now.
void sweep_temporaries(const fs::path& folder, const std::set<std::string>& names) {
    constexpr std::size_t tail = temporary_mark.size() + 6;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with('.') && name.size() > tail + 1 &&
            name.compare(name.size() - tail, temporary_mark.size(), temporary_mark) == 0 &&
            names.contains(name.substr(1, name.size() - tail - 1))) {
            fs::remove(entry.path(), none);
        }
    }
}

// The folder is locked, not the file: a rename replaces the file's inode, and a lock on the old
// one would let a second writer in.
Fd open_folder(const fs::path& folder) {
    Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
        throw system_error("cannot open " + folder.string(), errno);
    }
    return fd;
}

// Waits while another process writes there; not by flock itself, which no Cancel would end.
void lock_folder(const Fd& fd, const fs::path& folder, const Cancel& cancel) {
    constexpr auto limit = std::chrono::seconds(30);
    constexpr auto step = std::chrono::milliseconds(10);
    for (auto waited = step * 0; ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; waited += step) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            throw system_error("cannot lock " + folder.string(), errno);
        }
        if (waited >= limit) {
            throw Error(folder.string() + " is locked by another process",
                        "run the command again when that one has ended", ExitCode::changed);
        }
        cancel.sleep_for(step);
    }
}

Error changed_meanwhile(const fs::path& path) {
    return Error(path.string() + " was changed by somebody else meanwhile",
                 "nothing was written; run the command again", ExitCode::changed);
}

// Setting the mask is the only way to read it, which two threads must not do at once.
mode_t creation_mask() {
    static const mode_t mask = [] {
        const mode_t now = ::umask(0);
        ::umask(now);
        return now;
    }();
    return mask;
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t limit) {
    const Fd fd = open_for_reading(path);
    return read_to_end(fd.get(), path.native(), limit);
}

std::optional<std::string> read_file_if_there(const fs::path& path, std::size_t limit) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && (errno == ENOENT || errno == ENOTDIR)) {
        return std::nullopt;
    }
    if (!fd) {
        throw system_error("cannot read " + path.string(), errno);
    }
    return read_to_end(fd.get(), path.native(), limit);
}

std::string read_stdin(std::size_t limit) {
    return read_to_end(STDIN_FILENO, "standard input", limit);
}

void write_stdout(std::string_view bytes) {
    write_to(STDOUT_FILENO, bytes, "standard output");
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
    if (::fchmod(fd_.get(), replaces ? old.st_mode & 07777U : mode & ~creation_mask()) != 0) {
        const int error = errno;
        ::unlink(temporary_.c_str());  // no destructor runs for what was not constructed
        throw system_error("cannot set the mode of " + path_.string(), error);
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
    write_to(fd_.get(), bytes, path_.string());
}

void AtomicFile::start_sync() {
    // Only a hint: what fails here fails in sync() too.
    [[maybe_unused]] const int ignored = ::sync_file_range(fd_.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
}

void AtomicFile::sync() {
    if (::fsync(fd_.get()) != 0) {
        throw system_error("cannot write " + path_.string(), errno);
    }
    fd_.reset();
}

void AtomicFile::take_name() {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
        throw system_error("cannot write " + path_.string(), errno);
    }
    temporary_.clear();
}

fs::path AtomicFile::folder() const {
    return folder_of(path_);
}

void AtomicFile::commit() {
    sync();
    take_name();
    sync_folder(folder());
}

std::filesystem::path absolute_folder_of(std::string_view file) {
    std::error_code ignored;
    return std::filesystem::absolute(file, ignored).lexically_normal().parent_path();
}

void write_file(const fs::path& path, std::string_view bytes, unsigned mode) {
    AtomicFile file(path, mode);
    file.write(bytes);
    file.commit();
}

LockedFile::LockedFile(const fs::path& path, Missing missing) : path_(link_target(path)) {
    const fs::path folder = folder_of(path_);
    lock_ = open_folder(folder);
    lock_folder(lock_, folder, Cancel{});
    sweep_temporaries(folder, {path_.filename().string()});
    if (missing == Missing::error) {
        text_ = read_file(path_);
    } else {
        auto text = read_file_if_there(path_);
        there_ = text.has_value();
        text_ = std::move(text).value_or("");
    }
}

void LockedFile::replace(std::string_view bytes) {
    if (bytes == text_) {
        return;
    }
    AtomicFile file(path_);
    file.write(bytes);
    if (read_file_if_there(path_) != (there_ ? std::optional(text_) : std::nullopt)) {
        throw changed_meanwhile(path_);
    }
    file.commit();
    text_ = bytes;
    there_ = true;
}

void commit_all(const std::vector<std::unique_ptr<AtomicFile>>& files) {
    for (const auto& file : files) {
        file->start_sync();
    }
    std::set<fs::path> folders;
    for (const auto& file : files) {
        file->sync();
    }
    for (const auto& file : files) {
        file->take_name();
        folders.insert(file->folder());
    }
    std::ranges::for_each(folders, sync_folder);
}

namespace {

// Folders whose locks, and files whose temporaries, are held at a time.
constexpr std::size_t batch_folders = 128;
constexpr std::size_t batch_files = 512;

struct Folder {
    fs::path path;
    Fd lock;
    std::set<std::string> names = {};
    std::vector<std::size_t> files = {};  // indices of replacements
};

// By device and inode: two spellings of one folder are one lock, and two processes lock in the
// same order.
using Folders = std::map<std::pair<dev_t, ino_t>, Folder>;

Folders folders_of(const std::vector<Replacement>& files, const std::vector<fs::path>& paths) {
    std::map<fs::path, std::pair<dev_t, ino_t>> known;
    Folders folders;
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (files[i].before == files[i].after) {
            continue;
        }
        const fs::path folder = folder_of(paths[i]);
        auto id = known.find(folder);
        if (id == known.end()) {
            struct stat info = {};
            if (::stat(folder.c_str(), &info) != 0) {
                throw system_error("cannot open " + folder.string(), errno);
            }
            id = known.emplace(folder, std::pair{info.st_dev, info.st_ino}).first;
        }
        Folder& one = folders[id->second];
        one.path = folder;
        one.names.insert(paths[i].filename().string());
        one.files.push_back(i);
    }
    return folders;
}

void replace_batch(const std::vector<Folder*>& folders, const std::vector<Replacement>& files,
                   const std::vector<fs::path>& paths, const Cancel& cancel, std::size_t& written) {
    std::vector<std::size_t> all;
    for (Folder* folder : folders) {
        folder->lock = open_folder(folder->path);
        lock_folder(folder->lock, folder->path, cancel);
        sweep_temporaries(folder->path, folder->names);
        all.insert(all.end(), folder->files.begin(), folder->files.end());
    }
    const auto check = [&](std::size_t i) {
        if (read_file_if_there(paths[i]) != files[i].before) {
            throw changed_meanwhile(paths[i]);
        }
    };
    std::ranges::for_each(all, check);
    std::vector<std::unique_ptr<AtomicFile>> fresh(all.size());
    parallel_for(
        all.size(),
        [&](std::size_t i) {
            fresh[i] = std::make_unique<AtomicFile>(paths[all[i]]);
            fresh[i]->write(files[all[i]].after);
            fresh[i]->sync();
        },
        cancel, sync_threads);
    const auto sync_folders = [&] {
        parallel_for(
            folders.size(), [&](std::size_t i) { sync_folder(folders[i]->path); }, Cancel{},
            sync_threads);
    };
    try {
        for (std::size_t i = 0; i < all.size(); ++i) {
            cancel.check();
            check(all[i]);
            fresh[i]->take_name();
            ++written;
        }
    } catch (const Error&) {
        sync_folders();
        throw;
    }
    sync_folders();
    for (Folder* folder : folders) {
        folder->lock.reset();
    }
}

}  // namespace

void replace_files(const std::vector<Replacement>& files, const Cancel& cancel,
                   std::size_t& written) {
    written = 0;
    std::vector<fs::path> paths;
    for (const auto& file : files) {
        paths.push_back(link_target(file.path));
        if (read_file_if_there(paths.back()) != file.before) {
            throw changed_meanwhile(file.path);
        }
    }
    Folders folders = folders_of(files, paths);
    std::vector<Folder*> batch;
    std::size_t in_batch = 0;
    for (auto at = folders.begin(); at != folders.end();) {
        batch.push_back(&at->second);
        in_batch += at->second.files.size();
        ++at;
        if (at == folders.end() || batch.size() == batch_folders || in_batch >= batch_files) {
            replace_batch(batch, files, paths, cancel, written);
            batch.clear();
            in_batch = 0;
        }
    }
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

}  // namespace wasmplug
