#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace wasmplug::oci {

using Sink = std::function<void(std::string_view)>;

// One gzip member without name, time or comment, as the only `size` bytes of a buffer. By
// libdeflate at its level 5: as small as `gzip -6` makes it, in a quarter of the time.
struct Gzipped {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;

    std::string_view view() const { return {bytes.get(), size}; }
};

Gzipped gzip(std::string_view bytes);

// The same for streams, by zlib at its level 6: memory stays flat.
class Gzip {
  public:
    explicit Gzip(Sink sink);
    Gzip(Gzip&&) noexcept;
    ~Gzip();

    void write(std::string_view bytes);
    void finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// Unpacks a stream of gzip members, as Go's compress/gzip does: several may follow one another.
// Throws Error for what is not gzip, ends too early, is followed by something else, fails its
// checksum, or unpacks to more than `limit` bytes.
class Gunzip {
  public:
    Gunzip(Sink sink, std::uint64_t limit);
    Gunzip(Gunzip&&) noexcept;
    ~Gunzip();

    void write(std::string_view bytes);
    void finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace wasmplug::oci
