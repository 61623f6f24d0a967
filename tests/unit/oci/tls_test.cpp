// Certificates made for the occasion, and proxies: who is trusted, and who learns what.
#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/file.hpp"
#include "oci/media_types.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/oci_client.hpp"
#include "tests/support/relay.hpp"

namespace wasmplug::oci {
namespace {

namespace fs = std::filesystem;
using test::Answer;
using test::Client;
using test::ConnectProxy;
using test::FakeRegistry;
using test::is;
using test::SeenRequest;
using test::TlsFront;

constexpr auto registry_name = "registry.example.test";

// A variable of this process for the life of the object: libcurl and OpenSSL read it themselves.
class Variable {
  public:
    Variable(const char* name, const std::string& value) : name_(name) {
        if (const char* old = ::getenv(name)) {
            old_ = old;
        }
        ::setenv(name, value.c_str(), 1);
    }

    explicit Variable(const char* name) : Variable(name, "") { ::unsetenv(name); }

    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

    ~Variable() {
        if (old_) {
            ::setenv(name_, old_->c_str(), 1);
        } else {
            ::unsetenv(name_);
        }
    }

  private:
    const char* name_;
    std::optional<std::string> old_;
};

class Tls : public testing::Test {
  protected:
    TlsFront front(const test::CertificateRequest& request) const {
        return TlsFront(
            {.certificate = test::issue(authority_, request), .backend = registry_.port()});
    }

    TlsFront good_front() const { return front({.hosts = {"127.0.0.1", registry_name}}); }

    std::string file(const std::string& name, const std::string& text) const {
        const fs::path path = folder_.path() / name;
        fs::create_directories(path.parent_path());
        write_file(path, text);
        return path.string();
    }

    std::string ca_file() const { return file("ca.pem", authority_.certificate); }

    // A client that looks for certs.d below our folder, and knows an account.
    std::map<std::string, std::string> environment() const {
        return {{"XDG_CONFIG_HOME", folder_.path().string()},
                {"HOME", folder_.path().string()},
                {"WASMPLUG_USERNAME", "user"},
                {"WASMPLUG_PASSWORD", "pw-secret"}};
    }

    std::string push(const std::string& host, const TlsOptions& tls) const {
        Client client(environment());
        client.options.tls = tls;
        client.options.retry.attempts = 2;
        return client.push_error(host, test::small_image("one"));
    }

    void expect_error(const std::string& outcome, const std::string& part) const {
        EXPECT_NE(outcome.find(part), std::string::npos) << outcome;
        EXPECT_EQ(outcome.find("secret"), std::string::npos) << outcome;
        EXPECT_TRUE(registry_.seen().empty()) << "something was sent to a server not trusted";
    }

    TemporaryDirectory folder_;
    test::Certificate authority_ = test::make_authority("ours");
    FakeRegistry registry_;
    Variable no_file_{"SSL_CERT_FILE"};
    Variable no_folder_{"SSL_CERT_DIR"};
};

TEST_F(Tls, AnAuthorityThatIsNamedIsTrusted) {
    const auto tls = good_front();
    EXPECT_EQ(push(tls.host(), {.ca_file = ca_file()}), "pushed");
    EXPECT_EQ(registry_.manifests.count("v1"), 1U);
}

TEST_F(Tls, AnUnknownAuthorityIsNot) {
    const auto tls = good_front();
    const std::string outcome = push(tls.host(), {});
    expect_error(outcome, "cannot trust");
    EXPECT_NE(outcome.find("--ca-file"), std::string::npos) << outcome;
}

TEST_F(Tls, AnotherAuthorityIsNot) {
    const auto tls = good_front();
    expect_error(
        push(tls.host(), {.ca_file = file("other.pem", test::make_authority("other").certificate)}),
        "cannot trust");
}

TEST_F(Tls, TheVariableForCertificatesIsHonoured) {
    const auto tls = good_front();
    const Variable named("SSL_CERT_FILE", ca_file());
    EXPECT_EQ(push(tls.host(), {}), "pushed");
}

TEST_F(Tls, TheFolderOfTheHostIsHonoured) {
    const auto tls = good_front();
    file("containers/certs.d/" + tls.host() + "/ca.crt", authority_.certificate);
    EXPECT_EQ(push(tls.host(), {}), "pushed");
}

TEST_F(Tls, ACertificateOfAnotherHostIsRefused) {
    const auto tls = front({.hosts = {"other.example.test"}});
    expect_error(push(tls.host(), {.ca_file = ca_file()}), "cannot trust");
}

TEST_F(Tls, AnExpiredCertificateIsRefused) {
    const auto tls = front({.hosts = {"127.0.0.1"}, .days = -2});
    expect_error(push(tls.host(), {.ca_file = ca_file()}), "expired");
}

TEST_F(Tls, ACertificateSignedByItselfIsRefused) {
    const TlsFront tls({.certificate = authority_, .backend = registry_.port()});
    expect_error(push(tls.host(), {}), "cannot trust");
}

TEST_F(Tls, InsecureTakesAny) {
    const auto tls = front({.hosts = {"other.example.test"}, .days = -2});
    EXPECT_EQ(push(tls.host(), {.insecure = true}), "pushed");
}

TEST_F(Tls, AClientShowsItsCertificate) {
    const auto mine = test::issue(authority_, {.name = "me"});
    const TlsFront tls({.certificate = test::issue(authority_, {.hosts = {"127.0.0.1"}}),
                        .backend = registry_.port(),
                        .client_ca = authority_.certificate,
                        .require_client = true});
    const std::string without = push(tls.host(), {.ca_file = ca_file()});
    EXPECT_NE(without, "pushed");
    EXPECT_TRUE(registry_.seen().empty());
    EXPECT_EQ(push(tls.host(), {.ca_file = ca_file(),
                                .client_certificate = file("me.pem", mine.certificate),
                                .client_key = file("me.key", mine.key)}),
              "pushed");
    EXPECT_EQ(tls.clients().back(), "me");
}

TEST_F(Tls, AClientCertificateOfTheHostsFolderIsShownToThatHostOnly) {
    const auto mine = test::issue(authority_, {.name = "me"});
    const TlsFront::Options asking{.certificate = test::issue(authority_, {.hosts = {"127.0.0.1"}}),
                                   .backend = registry_.port(),
                                   .client_ca = authority_.certificate};
    const TlsFront tls(asking);
    FakeRegistry storage;
    auto other = asking;
    other.backend = storage.port();
    const TlsFront elsewhere(other);
    FakeRegistry redirecting([&](const SeenRequest& request) -> std::optional<Answer> {
        return is(request, "POST", "/blobs/uploads/")
                   ? std::optional(
                         Answer{.status = 202,
                                .headers = {{"Location", "https://" + elsewhere.host() + "/up"}}})
                   : std::nullopt;
    });
    auto redirected = asking;
    redirected.backend = redirecting.port();
    const TlsFront registry(redirected);
    const std::string folder = "containers/certs.d/" + registry.host() + "/";
    file(folder + "ca.crt", authority_.certificate);
    file(folder + "client.cert", mine.certificate);
    file(folder + "client.key", mine.key);
    push(registry.host(), {});
    ASSERT_FALSE(registry.clients().empty());
    EXPECT_EQ(registry.clients().front(), "me");
    ASSERT_FALSE(elsewhere.clients().empty());
    for (const auto& client : elsewhere.clients()) {
        EXPECT_EQ(client, "") << "the storage learnt who we are";
    }
}

TEST_F(Tls, NothingGoesFromHttpsToPlainHttp) {
    FakeRegistry plain;
    for (const char* method : {"POST", "GET", "Location"}) {
        FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
            if (std::string_view(method) == "Location") {
                return is(request, "POST", "/blobs/")
                           ? std::optional(
                                 Answer{.status = 202, .headers = {{"Location", plain.url("/up")}}})
                           : std::nullopt;
            }
            return request.method == method
                       ? std::optional(
                             Answer{.status = 307, .headers = {{"Location", plain.url("/x")}}})
                       : std::nullopt;
        });
        const TlsFront tls({.certificate = test::issue(authority_, {.hosts = {"127.0.0.1"}}),
                            .backend = registry.port()});
        Client client(environment());
        client.options.tls.ca_file = ca_file();
        std::string outcome = "done";
        try {
            client.push(tls.host(), test::small_image("one"));
            client.open(tls.host())->manifest("v1");
        } catch (const Error& error) {
            outcome = error.full_message();
        }
        EXPECT_NE(outcome, "done") << method;
    }
    EXPECT_TRUE(plain.seen().empty());
}

TEST_F(Tls, ADownloadGoesOnWhereItBrokeBehindTls) {
    const std::string text(300'000, 'x');
    const auto blob = test::text_blob(text, "application/x");
    int answers = 0;
    FakeRegistry registry([&](const SeenRequest& request) -> std::optional<Answer> {
        return is(request, "GET", "/blobs/") && answers++ == 0
                   ? std::optional(Answer{.body = text, .cut_after = 100'000})
                   : std::nullopt;
    });
    registry.blobs[blob.descriptor.digest] = text;
    const TlsFront tls({.certificate = test::issue(authority_, {.hosts = {"127.0.0.1"}}),
                        .backend = registry.port()});
    Client client(environment());
    client.options.tls.ca_file = ca_file();
    std::string got;
    client.open(tls.host(), Access::pull)->read_blob(blob.descriptor, [&](std::string_view part) {
        got += part;
    });
    EXPECT_EQ(got, text);
    EXPECT_TRUE(header(registry.seen().back().headers, "Range"));
}

// Proxies. The registry's name is nobody's, so that only the proxy can reach it.

class Proxies : public Tls {
  protected:
    void SetUp() override { registry_.require_basic = "user:pw-secret"; }

    Variable no_http_{"http_proxy"};
    Variable no_http_in_capitals_{"HTTP_PROXY"};
    Variable no_https_{"https_proxy"};
    Variable no_https_in_capitals_{"HTTPS_PROXY"};
    Variable no_all_{"ALL_PROXY"};
    Variable no_all_in_small_{"all_proxy"};
    Variable no_none_{"NO_PROXY"};
    Variable no_none_in_small_{"no_proxy"};
};

TEST_F(Proxies, ATunnelCarriesEverythingButTheCredentials) {
    const auto tls = good_front();
    const ConnectProxy proxy({{std::string(registry_name) + ":443", tls.port()}}, "who:proxy-pw");
    const Variable named("HTTPS_PROXY", "http://who:proxy-pw@" + proxy.host());
    EXPECT_EQ(push(registry_name, {.ca_file = ca_file()}), "pushed");
    ASSERT_FALSE(proxy.heads().empty());
    for (const auto& head : proxy.heads()) {
        EXPECT_TRUE(head.starts_with("CONNECT " + std::string(registry_name) + ":443 ")) << head;
        EXPECT_EQ(head.find("\r\nAuthorization:"), std::string::npos) << head;
    }
    for (const auto& request : registry_.seen()) {
        EXPECT_FALSE(header(request.headers, "Proxy-Authorization"));
    }
}

TEST_F(Proxies, ATunnelDoesNotMakeACertificateGood) {
    const auto tls = front({.hosts = {"other.example.test"}});
    const ConnectProxy proxy({{std::string(registry_name) + ":443", tls.port()}});
    const Variable named("HTTPS_PROXY", "http://" + proxy.host());
    expect_error(push(registry_name, {.ca_file = ca_file()}), "cannot trust");
}

TEST_F(Proxies, AProxyThatWantsAnotherPasswordIsSaidAndNotItsPassword) {
    const auto tls = good_front();
    const ConnectProxy proxy({{std::string(registry_name) + ":443", tls.port()}}, "who:right");
    const Variable named("HTTPS_PROXY", "http://who:wrong-secret@" + proxy.host());
    expect_error(push(registry_name, {.ca_file = ca_file()}), "407");
}

TEST_F(Proxies, APlainRequestGoesThroughTheProxyInEitherSpelling) {
    for (const char* spelling : {"http_proxy", "HTTP_PROXY"}) {
        FakeRegistry proxy;  // answers in the registry's place: it sees the whole address
        const Variable named(spelling, "http://who:proxy-pw@" + proxy.host());
        Client client(environment());
        client.options.plain_http = true;
        EXPECT_EQ(client.push_error(registry_name, test::small_image("one")), "pushed");
        ASSERT_FALSE(proxy.seen().empty()) << spelling;
        EXPECT_TRUE(proxy.seen()[0].target.starts_with("http://registry.example.test/v2/"));
        EXPECT_TRUE(header(proxy.seen()[0].headers, "Proxy-Authorization"));
    }
}

TEST_F(Proxies, ANameOnTheListGoesAroundThem) {
    FakeRegistry proxy;
    const Variable named("http_proxy", "http://" + proxy.host());
    for (const char* list : {"registry.example.test", ".example.test", "*"}) {
        const Variable none("NO_PROXY", list);
        Client client(environment());
        client.options.plain_http = true;
        client.options.retry.attempts = 1;
        const std::string outcome = client.push_error(registry_name, test::small_image("one"));
        EXPECT_NE(outcome.find("cannot reach registry.example.test"), std::string::npos) << outcome;
    }
    EXPECT_TRUE(proxy.seen().empty());
}

TEST_F(Proxies, AreNotAskedForThisMachine) {
    FakeRegistry proxy;
    const Variable named("http_proxy", "http://" + proxy.host());
    EXPECT_EQ(push(registry_.host(), {}), "pushed");
    EXPECT_TRUE(proxy.seen().empty());
}

}  // namespace
}  // namespace wasmplug::oci
