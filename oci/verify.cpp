#include "oci/verify.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "oci/spool.hpp"

namespace wasmplug::oci {

namespace {

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

// base/hash knows SHA-256 only; the other registered algorithm is for verification alone.
struct Verifier::Hash {
    Sha256 sha256;
    std::unique_ptr<EVP_MD_CTX, FreeContext> sha512;  // set: this one counts

    explicit Hash(bool is_sha512) {
        if (is_sha512) {
            sha512.reset(EVP_MD_CTX_new());
            if (!sha512 || EVP_DigestInit_ex(sha512.get(), EVP_sha512(), nullptr) != 1) {
                throw Error("OpenSSL offers no SHA-512");
            }
        }
    }

    void update(std::string_view bytes) {
        if (sha512) {
            EVP_DigestUpdate(sha512.get(), bytes.data(), bytes.size());
        } else {
            sha256.update(bytes);
        }
    }

    std::string hex() {
        if (!sha512) {
            return sha256.hex();
        }
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned size = 0;
        EVP_DigestFinal_ex(sha512.get(), digest.data(), &size);
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
    hash_->update(bytes);
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

void read_verified(const BodySource& body, const Descriptor& expected, const std::string& where,
                   const Sink& sink) {
    Verifier verifier(expected, where);
    read_all(body, [&](std::string_view part) {
        verifier.update(part);
        sink(part);
    });
    verifier.finish();
}

void verify_digest(std::string_view bytes, const std::string& digest, const std::string& where) {
    Verifier verifier({.media_type = {}, .digest = digest, .size = bytes.size()}, where);
    verifier.update(bytes);
    verifier.finish();
}

RawManifest verified_manifest(std::string bytes, const Descriptor& wanted,
                              const std::string& where) {
    verify_digest(bytes, wanted.digest, where);
    RawManifest raw;
    raw.media_type = media_type_of(bytes, wanted.media_type, where);
    raw.bytes = std::move(bytes);
    raw.digest = wanted.digest;
    return raw;
}

}  // namespace wasmplug::oci
