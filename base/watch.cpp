#include "base/watch.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include "base/error.hpp"

namespace wasmplug {

namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t changes =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ATTRIB;

}  // namespace

Watch::Watch(const std::vector<fs::path>& folders,
             std::function<bool(const fs::path& folder)> entered)
    : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)), entered_(std::move(entered)) {
    if (!fd_) {
        throw system_error("cannot watch files", errno);
    }
    for (const auto& folder : folders) {
        add(folder);
    }
}

void Watch::add(const fs::path& folder) {
    const int id = ::inotify_add_watch(fd_.get(), folder.c_str(), changes | IN_ONLYDIR);
    if (id < 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return;  // gone again
        }
        throw system_error("cannot watch " + folder.string(), errno);
    }
    folders_[id] = folder;
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator(folder, gone)) {
        if (entry.is_directory(gone) && !entry.is_symlink(gone) && entered_(entry.path())) {
            add(entry.path());
        }
    }
}

bool Watch::poll(const Cancel& cancel, int milliseconds) const {
    while (true) {
        cancel.check();
        std::array<pollfd, 2> fds{{{fd_.get(), POLLIN, 0}, {cancel.fd(), POLLIN, 0}}};
        const int limit = cancel.poll_timeout();
        const int time = milliseconds < 0 ? limit
                         : limit < 0      ? milliseconds
                                          : std::min(milliseconds, limit);
        const int ready = ::poll(fds.data(), fds.size(), time);
        if (ready < 0 && errno != EINTR) {
            throw system_error("cannot wait for changes", errno);
        }
        cancel.check();
        if (ready > 0 && (fds[0].revents & POLLIN) != 0) {
            return true;
        }
        if (ready == 0 && milliseconds >= 0) {
            return false;
        }
    }
}

std::vector<fs::path> Watch::wait(const Cancel& cancel, std::chrono::milliseconds quiet) {
    std::set<fs::path> changed;
    while (poll(cancel, changed.empty() ? -1 : static_cast<int>(quiet.count()))) {
        alignas(inotify_event) std::array<char, 16384> buffer;
        const ssize_t size = ::read(fd_.get(), buffer.data(), buffer.size());
        for (ssize_t at = 0; at < size;) {
            inotify_event event;
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* name = buffer.data() + at + sizeof event;
            at += static_cast<ssize_t>(sizeof event + event.len);
            const auto folder = folders_.find(event.wd);
            if (folder == folders_.end() || event.len == 0) {
                continue;
            }
            const fs::path path = folder->second / name;
            if ((event.mask & IN_ISDIR) == 0) {
                changed.insert(path);
            } else if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0 && entered_(path)) {
                add(path);
                // What was put into it before it was watched has made no event.
                std::error_code gone;
                for (const auto& entry : fs::directory_iterator(path, gone)) {
                    if (entry.is_regular_file(gone)) {
                        changed.insert(entry.path());
                    }
                }
            }
        }
    }
    return {changed.begin(), changed.end()};
}

}  // namespace wasmplug
