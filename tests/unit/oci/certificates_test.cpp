#include "oci/certificates.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/file.hpp"

namespace wasmplug::oci {
namespace {

namespace fs = std::filesystem;

class CertificatesTest : public testing::Test {
  protected:
    void put(const std::string& name) const {
        const fs::path file = folder_.path() / name;
        fs::create_directories(file.parent_path());
        write_file(file, "pem");
    }

    TlsOptions found(const std::string& host, const TlsOptions& given = {}) const {
        return with_certificates(given, host, {folder_.path() / "a", folder_.path() / "b"});
    }

    TemporaryDirectory folder_;
};

TEST_F(CertificatesTest, BelongToOneHostAndPort) {
    put("a/reg.example:5000/ca.crt");
    put("a/reg.example:5000/client.cert");
    put("a/reg.example:5000/client.key");
    const TlsOptions tls = found("reg.example:5000");
    EXPECT_TRUE(tls.ca_file.ends_with("a/reg.example:5000/ca.crt"));
    EXPECT_TRUE(tls.client_certificate.ends_with("client.cert"));
    EXPECT_TRUE(tls.client_key.ends_with("client.key"));
    EXPECT_EQ(found("reg.example").ca_file, "");
    EXPECT_EQ(found("other.example:5000").ca_file, "");
}

TEST_F(CertificatesTest, TheFirstFolderWithTheHostWins) {
    put("a/h.example/ca.crt");
    put("b/h.example/client.cert");
    EXPECT_EQ(found("h.example").client_certificate, "");
}

TEST_F(CertificatesTest, WhatTheCommandLineNamesStays) {
    put("a/h.example/ca.crt");
    TlsOptions given;
    given.ca_file = "mine.pem";
    EXPECT_EQ(found("h.example", given).ca_file, "mine.pem");
}

TEST_F(CertificatesTest, ACertificateWithoutItsKeyIsAnError) {
    put("b/h.example/client.cert");
    EXPECT_THROW(found("h.example"), Error);
}

}  // namespace
}  // namespace wasmplug::oci
