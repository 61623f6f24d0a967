#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/services.hpp"
#include "oci/challenge.hpp"
#include "oci/credentials.hpp"
#include "oci/retry.hpp"

namespace wasmplug::oci {

// What the command line says about talking to registries.
struct RegistryOptions {
    bool plain_http = false;
    TlsOptions tls = {};
    std::optional<Credential> credential = {};  // --username and --password-stdin
    std::uint64_t chunk = 0;                    // upload in parts of this size; 0: in one
    std::chrono::milliseconds stall_timeout{30'000};
    RetryPolicy retry = {};
};

struct ApiRequest {
    HttpRequest http;    // `url` is absolute; authorization is added when it goes to the registry
    std::string what;    // "pushing layer sha256:1234…": context of errors and retry lines
    std::string scope;   // "repository:acme/auth:pull,push"
    bool repeat = true;  // after a transient failure; an upload is begun anew by its owner instead
};

// A status, or no answer.
struct ApiResult {
    HttpResponse response;
    std::optional<HttpError> error;

    bool is(int status) const { return !error && response.status == status; }

    bool transient() const { return error ? is_transient(*error) : is_transient(response.status); }
};

// Talks to one registry: finds its scheme, answers its challenges, keeps tokens, repeats what may
// be repeated and says so in one line each. Credentials and tokens are sent to the registry's own
// origin only, and credentials besides to a token realm that passes realm_problem().
class Session {
  public:
    Session(std::string host, RegistryOptions options, Services& services);

    const std::string& host() const { return host_; }

    const RegistryOptions& options() const { return options_; }

    // "https://ghcr.io" + path; for a loopback host whose scheme is not known yet, plain http.
    std::string url(const std::string& path) const;

    // One result a request, in order. What is not repeatable or failed too often is a result too.
    std::vector<ApiResult> exchange(const std::vector<ApiRequest>& requests);

    // The same for one; a missing answer is thrown.
    HttpResponse send(const ApiRequest& request);

    // Waits before attempt `next` of something that exchange() did not repeat itself.
    void pause(int next, const std::string& what, const ApiResult& failed);

    // Clean-up after an interrupt or an error: has its own limit of 3 s, and its failure is
    // nobody's.
    void send_and_forget(const std::string& method, const std::string& url,
                         const std::string& scope);

    // The overprinted line of an upload, with its rate.
    void progress(const std::string& what, std::uint64_t sent, std::uint64_t total);

    // The registry is at a private address itself: others there are no surprise.
    bool may_go_to(const std::string& url) const;

    bool is_own_origin(const std::string& url) const;

    // Realms and the like that Istio's agent would refuse, for the end of a push.
    const std::vector<std::string>& warnings() const { return warnings_; }

    Services& services() { return services_; }

    // The token, or "user:password" in base64, that was accepted; for login.
    void authenticate_fully(bool value) { offline_token_ = value; }

    const Secret& refresh_token() const { return refresh_token_; }

  private:
    struct Token {
        Secret value;
        Cancel::Clock::time_point refresh_at;
    };

    struct Round;

    bool answer_challenge(const HttpResponse& response, const std::string& scope);
    void fetch_token(const Challenge& challenge, const std::string& scope);
    HttpResponse ask_realm(const std::string& realm, const std::string& service,
                           const std::vector<std::string>& scopes);
    void keep_token(const std::string& realm, const HttpResponse& response,
                    const std::string& scope);
    Secret authorization(const std::string& scope) const;
    const std::optional<Credential>& credential(const std::string& scope);
    bool switch_scheme(const std::vector<ApiResult>& results);
    void sort_results(Round& round);
    void note_realm(const std::string& realm);

    std::string host_;
    RegistryOptions options_;
    Services& services_;
    Credentials credentials_;
    bool scheme_known_ = false;
    bool https_ = true;
    bool basic_ = false;
    bool offline_token_ = false;
    std::set<std::string> scopes_;         // asked for so far: a new token gets them all
    std::map<std::string, Token> tokens_;  // by the scope they were fetched for
    std::optional<std::optional<Credential>> credential_;
    Secret refresh_token_;
    std::vector<std::string> warnings_;
    std::map<std::string, Cancel::Clock::time_point> progress_began_;
    std::mt19937 random_{std::random_device{}()};
};

}  // namespace wasmplug::oci
