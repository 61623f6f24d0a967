#include "oci/verify.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "base/error.hpp"

namespace wasmplug::oci {

// base/hash knows SHA-256 only; the other registered algorithm is for verification alone.
struct Verifier::Hash {
    EVP_MD_CTX* context = EVP_MD_CTX_new();

    explicit Hash(bool sha512) {
        if (context == nullptr ||
            EVP_DigestInit_ex(context, sha512 ? EVP_sha512() : EVP_sha256(), nullptr) != 1) {
            throw Error("OpenSSL offers no SHA-2");
        }
    }

    Hash(const Hash&) = delete;
    Hash& operator=(const Hash&) = delete;

    ~Hash() { EVP_MD_CTX_free(context); }

    std::string hex() const {
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned size = 0;
        EVP_DigestFinal_ex(context, digest.data(), &size);
        std::string out;
        for (unsigned i = 0; i < size; ++i) {
            out += fmt::format("{:02x}", digest[i]);
        }
        return out;
    }
};

Verifier::Verifier(const Descriptor& expected, std::string where)
    : expected_(expected),
      where_(std::move(where)),
      hash_(std::make_unique<Hash>(expected.digest.starts_with("sha512:"))) {}

Verifier::Verifier(Verifier&&) noexcept = default;
Verifier::~Verifier() = default;

void Verifier::update(std::string_view bytes) {
    seen_ += bytes.size();
    if (seen_ > expected_.size) {
        throw Error(fmt::format("{} has more than the {} bytes of {}", where_, expected_.size,
                                expected_.digest));
    }
    EVP_DigestUpdate(hash_->context, bytes.data(), bytes.size());
}

void Verifier::finish() {
    if (seen_ != expected_.size) {
        throw Error(fmt::format("{} has {} of the {} bytes of {}", where_, seen_, expected_.size,
                                expected_.digest));
    }
    const std::string found = hash_->hex();
    if (found != expected_.digest.substr(7)) {
        throw Error(fmt::format("{} is damaged: {} has the digest {}{}", where_, expected_.digest,
                                expected_.digest.substr(0, 7), found));
    }
}

void verify_digest(std::string_view bytes, const std::string& digest, const std::string& where) {
    Verifier verifier({.media_type = {}, .digest = digest, .size = bytes.size()}, where);
    verifier.update(bytes);
    verifier.finish();
}

}  // namespace wasmplug::oci
