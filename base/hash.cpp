#include "base/hash.hpp"

// The functions below EVP: what EVP does first, loading its providers and fetching the algorithm
// by name, costs more than hashing a megabyte.
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>

#include <array>
#include <cstddef>

#include "base/error.hpp"

namespace wasmplug {

struct Sha256::State {
    SHA256_CTX context{};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    SHA256_Init(&state_->context);
}

Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

Sha256& Sha256::update(std::string_view bytes) {
    SHA256_Update(&state_->context, bytes.data(), bytes.size());
    return *this;
}

std::string Sha256::hex() {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256_Final(digest.data(), &state_->context);
    SHA256_Init(&state_->context);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(2 * digest.size());
    for (const unsigned byte : digest) {
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
    }
    return out;
}

std::string sha256_hex(std::string_view bytes) {
    return Sha256().update(bytes).hex();
}

std::string sha256_digest(std::string_view bytes) {
    return "sha256:" + sha256_hex(bytes);
}

namespace {

constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string out;
    unsigned bits = 0;
    int held = 0;
    for (const char c : bytes) {
        bits = (bits << 8U) | static_cast<unsigned char>(c);
        for (held += 8; held >= 6; held -= 6) {
            out += base64_alphabet[(bits >> static_cast<unsigned>(held - 6)) & 63U];
        }
    }
    if (held > 0) {
        out += base64_alphabet[(bits << static_cast<unsigned>(6 - held)) & 63U];
    }
    out.append((4 - out.size() % 4) % 4, '=');
    return out;
}

std::string base64_decode(std::string_view text) {
    const std::size_t end = text.find_last_not_of('=');
    const std::string_view digits = text.substr(0, end == std::string_view::npos ? 0 : end + 1);
    if (text.size() - digits.size() > 2 || digits.size() % 4 == 1) {
        throw Error("not valid base64");
    }
    std::string out;
    unsigned bits = 0;
    int held = 0;
    for (const char c : digits) {
        const std::size_t value = base64_alphabet.find(c);
        if (value == std::string_view::npos) {
            throw Error("not valid base64");
        }
        bits = (bits << 6U) | static_cast<unsigned>(value);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out += static_cast<char>((bits >> static_cast<unsigned>(held)) & 255U);
        }
    }
    return out;
}

}  // namespace wasmplug
