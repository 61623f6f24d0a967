#pragma once

#include <memory>
#include <string>

#include "base/http.hpp"
#include "oci/gzip.hpp"
#include "oci/manifest.hpp"

namespace wasmplug::oci {

// Passes a stream on and holds it against a descriptor. sha256 and sha512.
class Verifier {
  public:
    Verifier(const Descriptor& expected, std::string where);
    Verifier(Verifier&&) noexcept;
    ~Verifier();

    // Throws as soon as there are more bytes than the descriptor says.
    void update(std::string_view bytes);

    std::uint64_t seen() const { return seen_; }

    // Throws when bytes are missing or the digest is another.
    void finish();

  private:
    struct Hash;
    Descriptor expected_;
    std::string where_;
    std::unique_ptr<Hash> hash_;
    std::uint64_t seen_ = 0;
};

// Reads all of `body` into `sink` and holds it against `expected`.
void read_verified(const BodySource& body, const Descriptor& expected, const std::string& where,
                   const Sink& sink);

// Throws when `bytes` are not what `digest` says; `where` begins the message.
void verify_digest(std::string_view bytes, const std::string& digest, const std::string& where);

// `bytes` as the manifest that `wanted` names. Throws when they are another, or none.
RawManifest verified_manifest(std::string bytes, const Descriptor& wanted,
                              const std::string& where);

}  // namespace wasmplug::oci
