#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/http.hpp"

namespace wasmplug::oci {

// Bytes that are made once and then read at random, as an upload needs them: in memory while they
// are few, then in a file without a name, so that memory stays flat and nothing is left behind.
class Spool {
  public:
    explicit Spool(std::uint64_t memory = std::uint64_t{8} << 20);

    void append(std::string_view bytes);
    std::uint64_t size() const;

    // Keeps the bytes alive.
    BodySource body() const;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

// A file as a body; it is opened at once and read when asked for.
BodySource body_of_file(const std::string& path);

// Calls `sink` with all of `body` in parts.
void read_all(const BodySource& body, const std::function<void(std::string_view)>& sink);

}  // namespace wasmplug::oci
