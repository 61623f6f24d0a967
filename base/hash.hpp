#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace wasmplug {

// Incremental SHA-256 (OpenSSL).
class Sha256 {
  public:
    Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    ~Sha256();

    Sha256& update(std::string_view bytes);

    // 64 lower-case hexadecimal digits; the object is ready for new input afterwards.
    std::string hex();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view bytes);

// "sha256:" and the hexadecimal digest, as OCI writes it.
std::string sha256_digest(std::string_view bytes);

std::string base64_encode(std::string_view bytes);

// Standard alphabet, padding optional; throws Error for anything else.
std::string base64_decode(std::string_view text);

}  // namespace wasmplug
