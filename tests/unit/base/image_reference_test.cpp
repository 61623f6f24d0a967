#include "base/image_reference.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace wasmplug {
namespace {

const std::string digest = "sha256:" + std::string(64, 'a');

std::string error_of(const std::string& text) {
    try {
        parse_reference(text);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::usage);
        return error.what();
    }
    return "accepted";
}

TEST(ImageReference, ReadsHostRepositoryTagAndDigest) {
    const auto reference = parse_reference("oci://GHCR.io/acme/auth:1.2.0@" + digest);
    EXPECT_EQ(reference.host, "ghcr.io");
    EXPECT_EQ(reference.repository, "acme/auth");
    EXPECT_EQ(reference.tag, "1.2.0");
    EXPECT_EQ(reference.digest, digest);
    EXPECT_EQ(reference.selector(), digest);
    EXPECT_EQ(reference.text(), "ghcr.io/acme/auth:1.2.0@" + digest);
    EXPECT_EQ(reference.url(), "oci://ghcr.io/acme/auth:1.2.0@" + digest);
}

TEST(ImageReference, TakesAPortForNoTag) {
    const auto reference = parse_reference("127.0.0.1:5000/auth");
    EXPECT_EQ(reference.host, "127.0.0.1:5000");
    EXPECT_EQ(reference.repository, "auth");
    EXPECT_EQ(reference.tag, "");
    EXPECT_EQ(reference.selector(), "latest");
    EXPECT_EQ(parse_reference("[::1]:5000/auth:v1").host, "[::1]:5000");
}

TEST(ImageReference, ReadsDockerHubAsDockerDoes) {
    EXPECT_EQ(parse_reference("acme/auth").text(), "docker.io/acme/auth");
    EXPECT_EQ(parse_reference("index.docker.io/auth").text(), "docker.io/library/auth");
    EXPECT_EQ(parse_reference("docker.io/auth").api_host(), "registry-1.docker.io");
    EXPECT_EQ(parse_reference("localhost/auth").host, "localhost");
}

TEST(ImageReference, ReadsLayoutsAndArchives) {
    const auto layout = parse_reference("oci:out/dist:1.0.0");
    EXPECT_EQ(layout.kind, ImageReference::Kind::layout);
    EXPECT_EQ(layout.path, "out/dist");
    EXPECT_EQ(layout.tag, "1.0.0");
    EXPECT_EQ(layout.text(), "oci:out/dist:1.0.0");
    EXPECT_EQ(parse_reference("oci:a:b/dist").path, "a:b/dist");
    EXPECT_EQ(parse_reference("oci:dist@" + digest).digest, digest);
    EXPECT_EQ(parse_reference("oci:d@sharp/dist").path, "d@sharp/dist");
    const auto archive = parse_reference("oci-archive:auth.tar");
    EXPECT_EQ(archive.kind, ImageReference::Kind::archive);
    EXPECT_EQ(archive.path, "auth.tar");
    EXPECT_TRUE(is_local_reference("oci:dist"));
    EXPECT_FALSE(is_local_reference("oci://ghcr.io/acme/auth"));
}

TEST(ImageReference, SaysWhichPartIsWrong) {
    EXPECT_EQ(error_of("ghcr.io/Acme/auth"),
              "'ghcr.io/Acme/auth' has no valid repository name: 'Acme/auth'");
    EXPECT_EQ(error_of("ghcr.io/acme/auth:-1"),
              "'ghcr.io/acme/auth:-1' has no valid tag after ':'");
    EXPECT_EQ(error_of("ghcr.io/acme/auth@sha256:12"),
              "'ghcr.io/acme/auth@sha256:12' has no valid digest after '@'");
    EXPECT_EQ(error_of("auth"), "'auth' names no repository");
    EXPECT_EQ(error_of("https://ghcr.io/acme/auth"),
              "'https://ghcr.io/acme/auth' is no image reference");
    EXPECT_EQ(error_of("oci:"), "'oci:' names no path");
    EXPECT_NE(error_of("a.b:99999/x"), "accepted");
    EXPECT_NE(error_of("ghcr.io/acme/auth:v1 "), "accepted");
    EXPECT_NE(error_of("ghcr.io/acme//auth"), "accepted");
    EXPECT_NE(error_of("ghcr.io/" + std::string(250, 'a')), "accepted");
    EXPECT_NE(error_of("user@ghcr.io/acme/auth"), "accepted");
    EXPECT_NE(error_of("ghcr.io/acme/auth:" + std::string(129, 'a')), "accepted");
}

TEST(ImageReference, FollowsTheGrammarOfRepositoryNames) {
    for (const char* good : {"a", "a/b", "a-b", "a--b", "a_b", "a__b", "a.b", "0/1"}) {
        EXPECT_TRUE(is_valid_repository(good)) << good;
    }
    for (const char* bad :
         {"", "/", "a/", "-a", "a-", "a..b", "a___b", "a.-b", "A", "a b", "a/./b"}) {
        EXPECT_FALSE(is_valid_repository(bad)) << bad;
    }
}

TEST(ImageReference, KnowsRegisteredDigestsOnly) {
    EXPECT_TRUE(is_valid_digest(digest));
    EXPECT_TRUE(is_valid_digest("sha512:" + std::string(128, '0')));
    EXPECT_FALSE(is_valid_digest("sha256:" + std::string(64, 'A')));
    EXPECT_FALSE(is_valid_digest("md5:" + std::string(32, 'a')));
    EXPECT_FALSE(is_valid_digest("sha256:" + std::string(63, 'a')));
}

TEST(ImageReference, KnowsLoopbackAndPrivateAddresses) {
    EXPECT_TRUE(is_loopback_host("127.0.0.2:5000"));
    EXPECT_TRUE(is_loopback_host("[::1]:5000"));
    EXPECT_TRUE(is_loopback_host("reg.localhost"));
    EXPECT_FALSE(is_loopback_host("10.0.0.1"));
    EXPECT_FALSE(is_loopback_host("localhost.example.com"));
    for (const char* address :
         {"10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
          "100.64.0.1", "0.0.0.0", "[fd00::1]", "fe80::1", "[::1]:80", "::ffff:10.0.0.1"}) {
        EXPECT_TRUE(is_private_address(address)) << address;
    }
    for (const char* address : {"172.32.0.1", "8.8.8.8", "2001:db8::1", "example.com"}) {
        EXPECT_FALSE(is_private_address(address)) << address;
    }
}

TEST(ImageReference, ARepositoryCarriesNoTag) {
    EXPECT_EQ(parse_repository("ghcr.io/acme/auth").name(), "ghcr.io/acme/auth");
    EXPECT_THROW(parse_repository("ghcr.io/acme/auth:1"), Error);
}

}  // namespace
}  // namespace wasmplug
