#pragma once

#include <openssl/bio.h>

#include <memory>

#include <openssl/x509.h>

namespace wasmplug::test {

template <auto Function>
struct Free {
    void operator()(auto* pointer) const { Function(pointer); }
};

using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using X = std::unique_ptr<X509, Free<X509_free>>;

}  // namespace wasmplug::test
