#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace wasmplug::oci {

using Sink = std::function<void(std::string_view)>;

// One gzip member without name, time or comment. libdeflate at level 6: about three times as
// quick as zlib at the same level, and a little smaller.
std::string gzip(std::string_view bytes);

// The same for streams, by zlib at level 6: memory stays flat.
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
