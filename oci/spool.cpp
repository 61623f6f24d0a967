#include "oci/spool.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/fd.hpp"
#include "base/file.hpp"

namespace wasmplug::oci {
namespace {

constexpr std::size_t part_size = std::size_t{256} * 1024;

Fd nameless_file() {
    std::string name = (std::filesystem::temp_directory_path() / "wasmplug-XXXXXX").string();
    Fd fd(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd) {
        throw system_error("cannot make a temporary file", errno);
    }
    ::unlink(name.c_str());
    return fd;
}

void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            throw system_error("cannot write a temporary file", errno);
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

}  // namespace

struct Spool::State {
    std::uint64_t memory = 0;
    std::uint64_t size = 0;
    std::string text;
    Fd file;

    std::size_t read(std::uint64_t offset, std::span<char> into) const {
        if (!file) {
            return text.copy(into.data(), into.size(),
                             std::min<std::uint64_t>(offset, text.size()));
        }
        for (;;) {
            const ssize_t n =
                ::pread(file.get(), into.data(), into.size(), static_cast<off_t>(offset));
            if (n >= 0) {
                return static_cast<std::size_t>(n);
            }
            if (errno != EINTR) {
                throw system_error("cannot read a temporary file", errno);
            }
        }
    }
};

Spool::Spool(std::uint64_t memory) : state_(std::make_shared<State>()) {
    state_->memory = memory;
}

void Spool::append(std::string_view bytes) {
    state_->size += bytes.size();
    if (!state_->file && state_->size > state_->memory) {
        state_->file = nameless_file();
        write_all(state_->file.get(), state_->text);
        state_->text = {};
    }
    if (state_->file) {
        write_all(state_->file.get(), bytes);
    } else {
        state_->text += bytes;
    }
}

std::uint64_t Spool::size() const {
    return state_->size;
}

BodySource Spool::body() const {
    return {.size = state_->size,
            .read = [state = state_](std::uint64_t offset, std::span<char> into) {
                return state->read(offset, into);
            }};
}

BodySource body_of_file(const std::string& path) {
    auto file = std::make_shared<const FileReader>(path);
    return {.size = file->size(), .read = [file](std::uint64_t offset, std::span<char> into) {
                return file->read_at(offset, into);
            }};
}

void read_all(const BodySource& body, const std::function<void(std::string_view)>& sink) {
    std::vector<char> part(
        std::min<std::uint64_t>(part_size, std::max<std::uint64_t>(body.size, 1)));
    for (std::uint64_t offset = 0; offset < body.size;) {
        const std::size_t wanted = std::min<std::uint64_t>(part.size(), body.size - offset);
        const std::size_t n = body.read(offset, {part.data(), wanted});
        if (n == 0) {
            throw Error("what is being read became shorter meanwhile");
        }
        sink({part.data(), n});
        offset += n;
    }
}

}  // namespace wasmplug::oci
