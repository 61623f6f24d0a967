#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.hpp"
#include "base/fd.hpp"

namespace wasmplug {

// Whole contents; throws Error when it cannot be read or is larger than `limit` bytes.
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 30);

// The same, and nothing when there is no such file.
std::optional<std::string> read_file_if_there(const std::filesystem::path& path,
                                              std::size_t limit = std::size_t{1} << 30);

// All of standard input ("-" on a command line), up to `limit` bytes.
std::string read_stdin(std::size_t limit = std::size_t{64} << 20);

// Straight to the descriptor: for workers, whose Output belongs to the process that they were.
void write_stdout(std::string_view bytes);

// Random access to a file that is too large to hold: image layers, archives.
class FileReader {
  public:
    explicit FileReader(const std::filesystem::path& path);

    std::size_t size() const { return size_; }

    // Fills `into` from `offset`; fewer bytes only at the end of the file.
    std::size_t read_at(std::size_t offset, std::span<char> into) const;

  private:
    std::filesystem::path path_;
    Fd fd_;
    std::size_t size_ = 0;
};

// A new file that takes its name only when it is complete: a temporary file beside it,
// fsync, rename, fsync of the folder. Destroyed without commit(), it leaves nothing.
class AtomicFile {
  public:
    // `mode` is used for a new file; an existing one keeps its own permissions.
    explicit AtomicFile(std::filesystem::path path, unsigned mode = 0644);
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile();

    void write(std::string_view bytes);
    void commit();

    // The halves of commit() but for the folder's fsync, for many files at once; start_sync() lets
    // the disk begin.
    void start_sync();
    void sync();
    void take_name();

    std::filesystem::path folder() const;

  private:
    std::filesystem::path path_;
    std::filesystem::path temporary_;
    Fd fd_;
};

// commit() for a few files in little more than the time of one: all are on their way to the disk
// before the first is waited for. Names are taken in order.
void commit_all(const std::vector<std::unique_ptr<AtomicFile>>& files);

// The one way to replace a small file. A symbolic link is followed: its target is replaced.
void write_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode = 0644);

// Read, decide, replace, under one advisory lock on the file's folder entry.
// Construction locks and reads; `replace` throws ExitCode::changed when the file on disk is no
// longer what was read, and does nothing when `bytes` equal it. The lock ends with the object.
// Also sweeps temporary files that a killed run left beside it.
class LockedFile {
  public:
    // What a file that is not there is: an error, or empty.
    enum class Missing { error, empty };

    explicit LockedFile(const std::filesystem::path& path, Missing missing = Missing::error);

    const std::string& text() const { return text_; }

    void replace(std::string_view bytes);

  private:
    std::filesystem::path path_;  // with symbolic links resolved
    Fd lock_;
    std::string text_;
    bool there_ = true;
};

struct Replacement {
    std::filesystem::path path;
    std::string before;  // what the file has to hold still
    std::string after;
};

// What LockedFile does, for many files in the time of a few: every file is compared before the
// first is written (ExitCode::changed), each is replaced atomically, and a folder is synced once.
// `written` says how many have their new text, also when this throws.
void replace_files(const std::vector<Replacement>& files, const Cancel& cancel,
                   std::size_t& written);

// Removed with everything in it by the destructor.
class TemporaryDirectory {
  public:
    TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory();

    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

// Where `file` stands, absolute and without "." or "..". The file need not be there.
std::filesystem::path absolute_folder_of(std::string_view file);

// The regular files below `root` (itself when it is one) that `wanted` accepts, as FileWalk
// gives them; of folders those that `entered` accepts, when it is given. Throws Error for a folder
// that may not be read.
std::vector<std::filesystem::path> find_files(
    const std::filesystem::path& root,
    const std::function<bool(const std::filesystem::path&)>& wanted,
    const std::function<bool(const std::filesystem::path& folder)>& entered = {});

// By their names alone: whether `path` is `folder` itself or lies in it.
bool is_below(const std::filesystem::path& path, const std::filesystem::path& folder);

}  // namespace wasmplug
