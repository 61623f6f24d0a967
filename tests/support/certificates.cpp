#include "tests/support/certificates.hpp"

#include <openssl/ec.h>
#include <openssl/pem.h>

#include <stdexcept>

#include <openssl/x509v3.h>

#include "tests/support/openssl.hpp"

namespace wasmplug::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

constexpr long day = 24L * 3600;

void require(bool good) {
    if (!good) {
        throw std::runtime_error("OpenSSL made no certificate");
    }
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

Bio memory(const std::string& text = {}) {
    return Bio(text.empty() ? BIO_new(BIO_s_mem())
                            : BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    require(extension != nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

bool is_address(const std::string& host) {
    return host.find_first_not_of("0123456789.") == std::string::npos;
}

// Signed by itself when there is no authority.
Certificate make(const CertificateRequest& request, const Certificate* authority) {
    static long serial = 0;
    const Key key(EVP_EC_gen("P-256"));
    const X made(X509_new());
    require(key != nullptr && made != nullptr);
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -30 * day);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), request.days * day);
    X509_set_pubkey(made.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(made.get());
    const auto* name = reinterpret_cast<const unsigned char*>(request.name.c_str());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0);
    if (authority == nullptr) {
        X509_set_issuer_name(made.get(), subject);
        extend(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE");
        require(X509_sign(made.get(), key.get(), EVP_sha256()) > 0);
    } else {
        const Bio certificate_text = memory(authority->certificate);
        const Bio key_text = memory(authority->key);
        const X issuer(PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr));
        const Key issuer_key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
        require(issuer != nullptr && issuer_key != nullptr);
        X509_set_issuer_name(made.get(), X509_get_subject_name(issuer.get()));
        std::string names;
        for (const auto& host : request.hosts) {
            names +=
                (names.empty() ? "" : ",") + std::string(is_address(host) ? "IP:" : "DNS:") + host;
        }
        if (!names.empty()) {
            extend(made.get(), issuer.get(), NID_subject_alt_name, names);
        }
        require(X509_sign(made.get(), issuer_key.get(), EVP_sha256()) > 0);
    }
    const Bio certificate_text = memory();
    const Bio key_text = memory();
    require(PEM_write_bio_X509(certificate_text.get(), made.get()) == 1);
    require(PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                          nullptr) == 1);
    return {request.name, text_of(certificate_text.get()), text_of(key_text.get())};
}

}  // namespace

Certificate make_authority(const std::string& name) {
    return make({.name = name}, nullptr);
}

Certificate issue(const Certificate& authority, const CertificateRequest& request) {
    return make(request, &authority);
}

}  // namespace wasmplug::test
