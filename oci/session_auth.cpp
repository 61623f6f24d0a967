// Challenges, tokens and what is sent with a request: distribution's token authentication.
#include <fmt/format.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "oci/registry_error.hpp"
#include "oci/session.hpp"

namespace wasmplug::oci {
namespace {

using Clock = Cancel::Clock;

constexpr std::size_t token_limit = std::size_t{1} << 20;
constexpr std::chrono::seconds least_life{60};  // distribution: expires_in is 60 when absent

std::string basic(const Credential& credential) {
    return "Basic " + base64_encode(credential.username + ":" + credential.password.reveal());
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        if (end > at) {
            out.push_back(text.substr(at, end - at));
        }
        at = end + 1;
    }
    return out;
}

std::string form(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::string out = "x:?";  // a URL's query is encoded just so; its head is cut off again
    for (const auto& [key, value] : fields) {
        out = with_query(std::move(out), key, value);
    }
    out.erase(0, 3);
    return out;
}

}  // namespace

const std::optional<Credential>& Session::credential(const std::string& scope) {
    if (!credential_) {
        if (options_.credential) {
            credential_.emplace(options_.credential);
        } else {
            // "repository:acme/auth:pull,push"
            const std::size_t first = scope.find(':');
            const std::size_t last = scope.rfind(':');
            const std::string repository = first == std::string::npos || last == first
                                               ? std::string{}
                                               : scope.substr(first + 1, last - first - 1);
            const std::string host = host_ == "registry-1.docker.io" ? "docker.io" : host_;
            credential_.emplace(credentials_.find(
                host, repository,
                scope.find("push") == std::string::npos ? Need::reading : Need::writing));
        }
    }
    return *credential_;
}

Secret Session::authorization(const std::string& scope) const {
    if (basic_ && credential_ && *credential_) {
        return Secret(basic(**credential_));
    }
    const auto token = tokens_.find(scope);
    if (token != tokens_.end() && Clock::now() < token->second.refresh_at) {
        return Secret("Bearer " + token->second.value.reveal());
    }
    return {};
}

// Whether there is something new to try.
bool Session::answer_challenge(const HttpResponse& response, const std::string& scope) {
    const auto challenge = choose_challenge(parse_challenges(response.headers));
    if (!challenge) {
        return false;
    }
    note_realm(challenge->get("realm"));
    if (challenge->scheme == "bearer") {
        fetch_token(*challenge, scope);
        return true;
    }
    const auto& known = credential(scope);
    if (!known || known->username.empty() || basic_) {
        return false;  // nothing to send, or just that was refused
    }
    basic_ = true;
    return true;
}

void Session::note_realm(const std::string& realm) {
    const std::string problem = istio_realm_problem(realm);
    if (problem.empty()) {
        return;
    }
    std::string warning = fmt::format(
        "Istio's agent will not pull from {}: rejected unsafe bearer realm: {}", host_, problem);
    if (std::ranges::find(warnings_, warning) == warnings_.end()) {
        warnings_.push_back(std::move(warning));
    }
}

void Session::fetch_token(const Challenge& challenge, const std::string& scope) {
    const std::string realm = challenge.get("realm");
    const auto own = parse_url(url("/"));
    if (const std::string problem = realm_problem(realm, *own); !problem.empty()) {
        throw Error(fmt::format("{} cannot be trusted with credentials: {}", host_, problem));
    }
    const auto& known = credential(scope);
    if (known && !known->registry_token.empty()) {
        tokens_[scope] = {.value = known->registry_token,
                          .refresh_at = Clock::now() + std::chrono::hours(1)};
        return;
    }
    // What is demanded comes first and what this request needs last: some realms read only the
    // first scope, and GitLab's read only the last.
    std::vector<std::string> scopes = split(challenge.get("scope"));
    const std::vector<std::string> needed = split(scope);
    scopes_.insert(needed.begin(), needed.end());
    for (const auto& wanted : scopes_) {
        if (std::ranges::find(scopes, wanted) == scopes.end()) {
            scopes.push_back(wanted);
        }
    }
    if (!needed.empty() && scopes.back() != needed.front()) {
        scopes.push_back(needed.front());
    }
    keep_token(realm, ask_realm(realm, challenge.get("service"), scopes), scope);
}

HttpResponse Session::ask_realm(const std::string& realm, const std::string& service,
                                const std::vector<std::string>& scopes) {
    const auto& known = *credential_;
    ApiRequest request;
    request.what = "asking for a token";
    request.http.body_limit = token_limit;
    if (known && !known->identity_token.empty()) {
        std::string joined;
        for (const auto& scope : scopes) {
            joined += (joined.empty() ? "" : " ") + scope;
        }
        request.http.method = "POST";
        request.http.url = realm;
        request.http.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
        request.http.body = body_of(form({{"grant_type", "refresh_token"},
                                          {"refresh_token", known->identity_token.reveal()},
                                          {"service", service},
                                          {"client_id", "wasmplug"},
                                          {"scope", joined}}));
        HttpResponse response = send(request);
        if (response.status != 404 && response.status != 405) {
            return response;
        }
        request.http.method = "GET";
        request.http.headers.clear();
        request.http.body.reset();
    }
    std::string target = realm;
    if (!service.empty()) {
        target = with_query(std::move(target), "service", service);
    }
    for (const auto& scope : scopes) {
        target = with_query(std::move(target), "scope", scope);
    }
    target = with_query(std::move(target), "client_id", "wasmplug");
    if (offline_token_) {
        target = with_query(std::move(target), "offline_token", "true");
    }
    if (known && !known->username.empty()) {
        target = with_query(std::move(target), "account", known->username);
    }
    request.http.url = target;
    if (known && !known->username.empty()) {
        request.http.authorization = Secret(basic(*known));
    }
    HttpRequest direct = request.http;
    direct.stall_timeout = options_.stall_timeout;
    direct.tls.ca_file = options_.tls.ca_file;
    direct.tls.insecure = options_.tls.insecure;
    for (int next = 1;; ++next) {
        ApiResult result;
        try {
            result.response = services_.send(direct, services_.cancel);
        } catch (const HttpError& error) {
            result.error = error;
        }
        if (!result.transient() || next >= options_.retry.attempts) {
            if (result.error) {
                throw *result.error;
            }
            return std::move(result.response);
        }
        pause(next, request.what, result);
    }
}

void Session::keep_token(const std::string& realm, const HttpResponse& response,
                         const std::string& scope) {
    const std::string where = fmt::format("the token server {} of {}", display_url(realm), host_);
    const bool known = credential_ && *credential_;
    if (response.status != 200) {
        throw Error(
            fmt::format("{} answered {}{}", where, response.status,
                        reason_of(response).empty() ? "" : " (" + reason_of(response) + ")"),
            known ? fmt::format("the credentials from {} may be wrong: 'wasmplug login {}'",
                                (*credential_)->from, host_)
                  : fmt::format("run 'wasmplug login {}'", host_));
    }
    nlohmann::ordered_json answer;
    try {
        answer = parse_json(response.body, "its answer");
    } catch (const Error&) {
        throw Error(fmt::format("{} answered with something that is no token", where),
                    reason_of(response));
    }
    const auto text = [&](const char* key) {
        return answer.is_object() && answer.contains(key) && answer[key].is_string()
                   ? answer[key].get<std::string>()
                   : std::string{};
    };
    const std::string token = text("token").empty() ? text("access_token") : text("token");
    if (token.empty()) {
        throw Error(fmt::format("{} answered without a token", where));
    }
    if (const std::string refresh = text("refresh_token"); !refresh.empty()) {
        refresh_token_ = Secret(refresh);
    }
    std::chrono::seconds life = least_life;
    if (answer.contains("expires_in") && answer["expires_in"].is_number_integer()) {
        const auto stated = std::clamp<std::int64_t>(answer["expires_in"].get<std::int64_t>(), 60,
                                                     std::int64_t{24} * 3600);
        life = std::chrono::seconds(stated);
    }
    tokens_[scope] = {.value = Secret(token), .refresh_at = Clock::now() + life * 9 / 10};
}

}  // namespace wasmplug::oci
