#include "oci/gzip.hpp"

#include <fmt/format.h>
#include <libdeflate.h>
#include <zlib.h>

#include <array>
#include <cstddef>
#include <utility>

#include "base/error.hpp"
#include "base/output.hpp"

namespace wasmplug::oci {
namespace {

// Measured on a Go plugin of 3.3 MB, time and what remains: libdeflate 4: 26 ms, 29.3 %;
// 5: 34 ms, 28.3 %; 6: 43 ms, 28.0 %; zlib 6: 125 ms, 28.2 %. Another level is another digest for
// every package.
constexpr int libdeflate_level = 5;
constexpr int zlib_level = 6;
constexpr int gzip_window = 15 + 16;  // zlib: the largest window, in a gzip wrapper
constexpr std::size_t part_size = std::size_t{256} * 1024;

struct FreeCompressor {
    void operator()(libdeflate_compressor* compressor) const {
        libdeflate_free_compressor(compressor);
    }
};

// zlib takes its input as a pointer to non-const that it does not write through.
Bytef* input_of(std::string_view bytes) {
    return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

Gzipped gzip(std::string_view bytes) {
    const std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor(
        libdeflate_alloc_compressor(libdeflate_level));
    if (!compressor) {
        throw Error("out of memory");
    }
    // Not set to zero: what compression saves is memory that is never touched.
    const std::size_t most = libdeflate_gzip_compress_bound(compressor.get(), bytes.size());
    Gzipped out{.bytes = std::make_unique_for_overwrite<char[]>(most)};
    out.size = libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(),
                                        out.bytes.get(), most);
    if (out.size == 0) {
        throw Error("libdeflate cannot compress the module");
    }
    return out;
}

struct Gzip::State {
    Sink sink;
    z_stream stream{};
    std::array<char, part_size> out;

    void run(int flush) {
        do {
            stream.next_out = reinterpret_cast<Bytef*>(out.data());
            stream.avail_out = static_cast<uInt>(out.size());
            deflate(&stream, flush);
            sink({out.data(), out.size() - stream.avail_out});
        } while (stream.avail_out == 0);
    }

    explicit State(Sink to) : sink(std::move(to)) {
        if (deflateInit2(&stream, zlib_level, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) !=
            Z_OK) {
            throw Error("out of memory");
        }
    }

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    ~State() { deflateEnd(&stream); }
};

Gzip::Gzip(Sink sink) : state_(std::make_unique<State>(std::move(sink))) {}

Gzip::Gzip(Gzip&&) noexcept = default;
Gzip::~Gzip() = default;

void Gzip::write(std::string_view bytes) {
    // avail_in is 32 bits wide.
    for (std::size_t at = 0; at < bytes.size(); at += std::size_t{1} << 30) {
        const std::string_view part = bytes.substr(at, std::size_t{1} << 30);
        state_->stream.next_in = input_of(part);
        state_->stream.avail_in = static_cast<uInt>(part.size());
        state_->run(Z_NO_FLUSH);
    }
}

void Gzip::finish() {
    state_->stream.avail_in = 0;
    state_->run(Z_FINISH);
}

struct Gunzip::State {
    Sink sink;
    std::uint64_t limit;
    std::uint64_t unpacked = 0;
    z_stream stream{};
    bool started = false;    // a byte was seen
    bool in_member = false;  // between a member's first byte and its end
    std::array<char, part_size> out;

    State(Sink to, std::uint64_t most) : sink(std::move(to)), limit(most) {
        if (inflateInit2(&stream, gzip_window) != Z_OK) {
            throw Error("out of memory");
        }
    }

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    ~State() { inflateEnd(&stream); }

    // What follows a finished member must begin another: 1f 8b.
    void begin_member() {
        if (started) {
            inflateReset(&stream);
        }
        started = in_member = true;
    }

    [[noreturn]] void fail(bool first_member) const {
        if (unpacked == 0 && first_member) {
            throw Error("is not gzip data");
        }
        throw Error(stream.msg != nullptr ? fmt::format("is broken gzip data ({})", stream.msg)
                                          : std::string("is broken gzip data"));
    }

    void inflate_part() {
        stream.next_out = reinterpret_cast<Bytef*>(out.data());
        stream.avail_out = static_cast<uInt>(out.size());
        const int result = inflate(&stream, Z_NO_FLUSH);
        const std::size_t made = out.size() - stream.avail_out;
        unpacked += made;
        if (unpacked > limit) {
            throw Error(fmt::format("unpacks to more than {}", format_size(limit)));
        }
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
            fail(stream.total_out == unpacked);
        }
        if (made > 0) {
            sink({out.data(), made});
        }
        if (result == Z_STREAM_END) {
            in_member = false;
        }
    }
};

Gunzip::Gunzip(Sink sink, std::uint64_t limit)
    : state_(std::make_unique<State>(std::move(sink), limit)) {}

Gunzip::Gunzip(Gunzip&&) noexcept = default;
Gunzip::~Gunzip() = default;

void Gunzip::write(std::string_view bytes) {
    State& state = *state_;
    for (std::size_t at = 0; at < bytes.size(); at += std::size_t{1} << 30) {
        const std::string_view part = bytes.substr(at, std::size_t{1} << 30);
        state.stream.next_in = input_of(part);
        state.stream.avail_in = static_cast<uInt>(part.size());
        do {
            if (!state.in_member) {
                if (state.stream.avail_in == 0) {
                    break;
                }
                if (state.started && *state.stream.next_in != 0x1f) {
                    throw Error("has something after its gzip data");
                }
                state.begin_member();
            }
            state.inflate_part();
        } while (state.stream.avail_in > 0 || (state.in_member && state.stream.avail_out == 0));
    }
}

void Gunzip::finish() {
    if (!state_->started) {
        throw Error("is empty");
    }
    if (state_->in_member) {
        throw Error("ends in the middle of its gzip data");
    }
}

}  // namespace wasmplug::oci
