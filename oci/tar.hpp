#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "oci/gzip.hpp"

namespace wasmplug::oci {

// A regular file's header and its padding, in the plainest ustar: mode 0644, owner 0, time 0.
// Throws Error for a name that ustar cannot hold (over 100 bytes).
std::string tar_header(std::string_view name, std::uint64_t size);
std::string tar_padding(std::uint64_t size);
std::string tar_end();

struct TarEntry {
    std::string name;
    enum class Type { file, folder, symbolic_link, hard_link, device, other } type = Type::file;
    std::uint64_t size = 0;
    std::uint64_t offset = 0;  // of its content in the stream
};

// Reads a tar as it streams by: ustar, PAX and GNU's long names, as Go's archive/tar does. Nothing
// is ever written to disk; memory is bounded by one header. Throws Error for a bad checksum,
// sizes that do not fit, sparse files, over 10,000 entries, names with control characters, absolute
// names and names with "..", and (in finish) for an archive that ends too early.
class TarReader {
  public:
    // Called at each entry; the function it returns gets the content, an empty one skips it.
    using OnEntry = std::function<Sink(const TarEntry&)>;

    explicit TarReader(OnEntry on_entry) : on_entry_(std::move(on_entry)) {}

    void write(std::string_view bytes);
    void finish();

    // How many of the next bytes nobody wants; they count as seen. For a reader that can seek.
    std::uint64_t skip();

  private:
    void header();
    void extended();
    void begin(const TarEntry& entry);

    OnEntry on_entry_;
    std::string block_;      // the header being collected
    std::string special_;    // a PAX header or a long name being collected
    char special_type_ = 0;  // 'x', 'g', 'L' or 'K' while it is
    std::string next_name_;  // from a special entry, for the one that follows
    std::string next_size_;
    Sink content_;
    std::uint64_t left_ = 0;  // of the content
    std::uint64_t padding_ = 0;
    std::uint64_t at_ = 0;
    std::uint64_t entries_ = 0;
    int zero_blocks_ = 0;
};

}  // namespace wasmplug::oci
