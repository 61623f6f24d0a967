#include "tests/support/registry_profiles.hpp"

#include <algorithm>
#include <sstream>

#include "base/hash.hpp"

namespace wasmplug::test {
namespace {

constexpr auto user = "tester";
constexpr auto password = "sesame";
constexpr auto identity_token = "identity-of-tester";

std::string name_of(const SeenRequest& request) {
    const std::string path = request.path();
    for (const char* part : {"/blobs/", "/manifests/", "/tags/", "/referrers/"}) {
        if (const auto at = path.find(part); at != std::string::npos && path.starts_with("/v2/")) {
            return path.substr(4, at - 4);
        }
    }
    return {};
}

bool is_read(const SeenRequest& request) {
    return request.method == "GET" || request.method == "HEAD";
}

bool is_blob_read(const SeenRequest& request) {
    return is_read(request) && request.path().find("/blobs/sha256:") != std::string::npos;
}

bool is_manifest(const SeenRequest& request, const char* method) {
    return request.method == method && request.path().find("/manifests/") != std::string::npos;
}

Answer error(int status, const std::string& code, const std::string& message) {
    return {.status = status,
            .headers = {{"Content-Type", "application/json"}},
            .body = R"({"errors":[{"code":")" + code + R"(","message":")" + message +
                    R"(","detail":null}]})"};
}

Answer web_page(int status, const std::string& title) {
    return {.status = status,
            .headers = {{"Content-Type", "text/html"}},
            .body = "<html><head><title>" + title + "</title></head></html>"};
}

std::string basic(const std::string& name, const std::string& secret) {
    return "Basic " + base64_encode(name + ":" + secret);
}

std::vector<std::string> words(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> out;
    for (std::string word; in >> word;) {
        out.push_back(word);
    }
    return out;
}

}  // namespace

struct ProfiledRegistry::State {
    explicit State(Product which) : product(which) {}

    using Answers = std::optional<Answer>;

    Product product;
    std::map<std::string, std::string> tokens;  // token -> scopes it grants, space-separated
    std::vector<std::string> complaints;
    int oddities = 0;
    int limited = 0;                       // answers of 429 so far
    std::mutex mutex;                      // the three servers have a thread each
    std::unique_ptr<FaultServer> realm;    // a token server elsewhere
    std::unique_ptr<FaultServer> storage;  // where blobs are redirected to
    std::unique_ptr<FakeRegistry> registry;

    Answers odd(Answer answer) {
        ++oddities;
        return answer;
    }

    std::string account() const {
        switch (product) {
            case Product::ecr:
                return "AWS";
            case Product::artifact_registry:
                return "_json_key";
            case Product::harbor:
                return "robot$ci";
            default:
                return user;
        }
    }

    bool uses_tokens() const {
        return product != Product::ecr && product != Product::artifactory &&
               product != Product::nexus;
    }

    std::string realm_url() const {
        if (realm) {
            return realm->url("/token");
        }
        return registry->url(product == Product::acr ? "/oauth2/token" : "/token");
    }

    // The token server; GitLab's reads the last scope only.
    Answer give_token(const SeenRequest& request) {
        std::string scopes;
        if (product == Product::acr) {
            if (request.method != "POST") {
                return error(401, "UNAUTHORIZED", "only POST with a refresh token");
            }
            SeenRequest form;
            form.target = "?" + request.body;
            if (form.query("grant_type") != "refresh_token" ||
                form.query("refresh_token") != identity_token) {
                complaints.push_back("wrong form at the token server: " + request.body);
                return error(401, "UNAUTHORIZED", "no refresh token");
            }
            scopes = form.query("scope");
        } else {
            if (header(request.headers, "Authorization") != basic(account(), password)) {
                complaints.emplace_back("no or a wrong account at the token server");
                return error(401, "UNAUTHORIZED", "who are you");
            }
            const auto asked = request.queries("scope");
            for (const auto& scope : asked) {
                scopes = product == Product::gitlab ? scope : scopes + " " + scope;
            }
            oddities += product == Product::gitlab && asked.size() > 1;
        }
        const std::string token = "token" + std::to_string(tokens.size());
        tokens[token] = scopes;
        // ACR and GAR answer with one name of the member, others with the other.
        const char* member = product == Product::acr ? "access_token" : "token";
        return {.body = std::string("{\"") + member + "\":\"" + token + "\",\"expires_in\":300}"};
    }

    bool grants(const std::string& token, const std::string& name, const std::string& action) {
        const auto found = tokens.find(token);
        if (found == tokens.end()) {
            return false;
        }
        return std::ranges::any_of(words(found->second), [&](const std::string& scope) {
            const std::string head = "repository:" + name + ":";
            return scope.starts_with(head) &&
                   scope.substr(head.size()).find(action) != std::string::npos;
        });
    }

    // Nothing when the request may go on.
    Answers gate(const SeenRequest& request) {
        if (!uses_tokens()) {
            if (header(request.headers, "Authorization") == basic(account(), password)) {
                return std::nullopt;
            }
            Answer refusal = error(401, "UNAUTHORIZED", "authentication required");
            refusal.headers.emplace_back("WWW-Authenticate", "Basic realm=\"products\"");
            return refusal;
        }
        if (!realm && request.target.starts_with(product == Product::acr ? "/oauth2" : "/token")) {
            return give_token(request);
        }
        const std::string given = header(request.headers, "Authorization").value_or("");
        const std::string name = name_of(request);
        const std::string action = is_read(request) ? "pull" : "push";
        if (given.starts_with("Bearer ") && grants(given.substr(7), name, action)) {
            return std::nullopt;
        }
        Answer refusal = error(401, "UNAUTHORIZED", "authentication required");
        refusal.headers.emplace_back(
            "WWW-Authenticate", "Bearer realm=\"" + realm_url() + "\",service=\"fake\",scope=\"" +
                                    "repository:" + name + ":" +
                                    (action == "pull" ? "pull" : "pull,push") + "\"" +
                                    (given.empty() ? "" : ",error=\"insufficient_scope\""));
        return refusal;
    }

    Answers answer(const SeenRequest& request) {
        const std::scoped_lock lock(mutex);
        if (header(request.headers, "Cookie")) {
            complaints.push_back("a cookie was sent back");
            return error(403, "DENIED", "CSRF token invalid");
        }
        if (auto refused = gate(request)) {
            return refused;
        }
        switch (product) {
            case Product::docker_hub:
                return docker_hub(request);
            case Product::ghcr:
                return ghcr(request);
            case Product::ecr:
                return ecr(request);
            case Product::artifact_registry:
                return artifact_registry(request);
            case Product::acr:
                ++oddities;  // the identity token, met in the gate
                return std::nullopt;
            case Product::harbor:
                return harbor(request);
            case Product::quay:
                return quay(request);
            case Product::gitlab:
                return gitlab(request);
            case Product::artifactory:
                return artifactory(request);
            case Product::nexus:
                return nexus(request);
        }
        return std::nullopt;
    }

    // Mounts from what it cannot see are 401 insufficient_scope; blobs live on a CDN, for HEAD
    // too; the rate limiter in front answers with bare line feeds.
    Answers docker_hub(const SeenRequest& request) {
        if (!request.query("mount").empty()) {
            Answer refusal = error(401, "UNAUTHORIZED", "authentication required");
            refusal.headers.emplace_back("WWW-Authenticate",
                                         "Bearer realm=\"" + realm_url() +
                                             "\",service=\"fake\",error=\"insufficient_scope\"");
            return odd(refusal);
        }
        if (is_manifest(request, "GET") && limited++ == 0) {
            return odd({.raw = "HTTP/1.1 429 Too Many Requests\nCache-Control: no-cache\n"
                               "Connection: close\nContent-Type: text/html\nRetry-After: 1\n\n"
                               "<html><body><h1>429 Too Many Requests</h1></body></html>\n"});
        }
        const std::string digest = request.path().substr(request.path().rfind('/') + 1);
        if (is_blob_read(request) && registry->blobs.contains(digest)) {
            return odd({.status = 307,
                        .headers = {{"Location", storage->url("/" + digest + "?sig=secret")}}});
        }
        return std::nullopt;
    }

    // A blob that is not there is forbidden, and there is no referrers API.
    Answers ghcr(const SeenRequest& request) {
        if (request.method == "HEAD" && is_blob_read(request) &&
            registry->usual(request).status == 404) {
            return odd(error(403, "DENIED", "requested access to the resource is denied"));
        }
        return std::nullopt;
    }

    // No repository is made by a push, tags never move, manifests state their type, referrers are
    // refused; PATCH answers 201 with a range that does not grow, GET names no digest.
    Answers ecr(const SeenRequest& request) {
        const std::string name = name_of(request);
        if (!name.empty() && name != "acme/auth" && name != "acme/mirror") {
            return odd(error(404, "NAME_UNKNOWN",
                             "The repository with name '" + name +
                                 "' does not exist in the registry with id '000000000000'"));
        }
        if (is_manifest(request, "PUT")) {
            const std::string tag = request.path().substr(request.path().rfind('/') + 1);
            if (request.body.find(R"("mediaType":"application/vnd.)") == std::string::npos) {
                return odd(error(405, "UNSUPPORTED", "Invalid JSON syntax"));
            }
            if (request.body.find(R"("subject":)") != std::string::npos) {
                return odd(error(405, "UNSUPPORTED", "Invalid parameter at 'ImageManifest'"));
            }
            const auto there = registry->manifests.find(tag);
            if (there != registry->manifests.end() && there->second != request.body) {
                return odd(error(400, "TAG_INVALID",
                                 "The image tag '" + tag + "' already exists in the '" + name +
                                     "' repository and cannot be overwritten because the "
                                     "repository is immutable."));
            }
        }
        Answer usual = registry->usual(request);
        if (request.method == "PATCH" && usual.status == 202) {
            usual.status = 201;
            usual.headers.emplace_back("Range", "0-4");
            ++oddities;
        }
        if (is_manifest(request, "GET")) {
            oddities += static_cast<int>(std::erase_if(usual.headers, [](const auto& header) {
                return header.first == "Docker-Content-Digest";
            }));
        }
        return usual;
    }

    // Blobs are behind a redirect that names a path only.
    Answers artifact_registry(const SeenRequest& request) {
        constexpr std::string_view place = "/artifacts-downloads/";
        if (request.target.starts_with(place)) {
            SeenRequest blob = request;
            blob.target = "/v2/x/blobs/" + request.path().substr(place.size());
            return registry->usual(blob);
        }
        if (request.method == "GET" && is_blob_read(request)) {
            const std::string digest = request.path().substr(request.path().rfind('/') + 1);
            return odd({.status = 302, .headers = {{"Location", std::string(place) + digest}}});
        }
        return std::nullopt;
    }

    // Mounts are 401 and not 202, cookies are set that break what follows, what is not there is
    // UNKNOWN, and referrers are 401 without a challenge.
    Answers harbor(const SeenRequest& request) {
        if (!request.query("mount").empty()) {
            return odd(error(401, "UNAUTHORIZED", "unauthorized to access repository"));
        }
        if (request.path().find("/referrers/") != std::string::npos) {
            return odd({.status = 401});
        }
        Answer usual = registry->usual(request);
        if (usual.status == 404) {
            usual.body = R"({"errors":[{"code":"UNKNOWN","message":"not found"}]})";
        }
        usual.headers.emplace_back("Set-Cookie", "sid=1234; Path=/; HttpOnly");
        usual.headers.emplace_back("Set-Cookie", "_gorilla_csrf=abcd; Path=/");
        ++oddities;
        return usual;
    }

    // Knows a list of config types, limits the rate under load, mounts only with from.
    Answers quay(const SeenRequest& request) {
        if (request.method == "POST" && limited++ == 0) {
            return odd(web_page(429, "Too Many Requests"));
        }
        if (!request.query("mount").empty() && request.query("from").empty()) {
            return odd(error(400, "INVALID_REQUEST", "mount without from"));
        }
        if (is_manifest(request, "PUT") &&
            request.body.find(
                R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json")") ==
                std::string::npos &&
            request.body.find(R"("config":{"mediaType":"application/vnd.docker.container)") ==
                std::string::npos &&
            request.body.find(R"("manifests":)") == std::string::npos) {
            return odd(error(400, "MANIFEST_INVALID", "manifest invalid: unknown config type"));
        }
        return std::nullopt;
    }

    // "sha256-HEX" names the image of that digest, as if the dash were a colon; wasm's config type
    // is unknown; the token server reads one scope.
    Answers gitlab(const SeenRequest& request) {
        const auto at = request.path().find("/manifests/sha256-");
        if (at != std::string::npos && is_read(request)) {
            SeenRequest alias = request;
            alias.target = request.path().substr(0, at) +
                           "/manifests/sha256:" + request.path().substr(at + 18);
            return odd(registry->usual(alias));
        }
        if (is_manifest(request, "PUT") &&
            request.body.find("application/vnd.wasm.config.v0+json") != std::string::npos) {
            return odd(error(400, "MANIFEST_INVALID",
                             "unknown media type: application/vnd.wasm.config.v0+json"));
        }
        return std::nullopt;
    }

    // Takes blobs in parts only; digests and nothing stand among the tags.
    Answers artifactory(const SeenRequest& request) {
        if (request.method == "PUT" && !request.body.empty() &&
            request.path().find("/blobs/uploads/") != std::string::npos) {
            return odd(error(405, "UNSUPPORTED", "The operation is unsupported."));
        }
        if (request.path().ends_with("/tags/list")) {
            return odd({.body = R"({"name":"acme/auth","tags":["v1",null,"sha256:)" +
                                std::string(64, 'a') + R"(","v1"]})"});
        }
        return std::nullopt;
    }

    // Not found without a word of JSON; nulls among the tags.
    Answers nexus(const SeenRequest& request) {
        if (request.path().ends_with("/tags/list")) {
            return odd({.body = R"({"name":"acme/auth","tags":[null,"v1"]})"});
        }
        Answer usual = registry->usual(request);
        if (usual.status == 404) {
            ++oddities;
            return web_page(404, "404 - Nexus Repository Manager");
        }
        return usual;
    }

    Answer stored(const SeenRequest& request) {
        const std::scoped_lock lock(mutex);
        if (header(request.headers, "Authorization")) {
            complaints.emplace_back("a credential came to the storage's host");
            return web_page(400, "Only one auth mechanism allowed");
        }
        SeenRequest blob = request;
        blob.target = "/v2/x/blobs" + request.path();
        return registry->usual(blob);
    }
};

ProfiledRegistry::ProfiledRegistry(Product product) : state_(std::make_unique<State>(product)) {
    State& state = *state_;
    state.registry = std::make_unique<FakeRegistry>(
        [&state](const SeenRequest& request) { return state.answer(request); });
    if (product == Product::docker_hub) {
        state.storage = std::make_unique<FaultServer>(
            [&state](const SeenRequest& request) { return state.stored(request); });
    }
    if (product == Product::docker_hub || product == Product::gitlab) {
        state.realm = std::make_unique<FaultServer>([&state](const SeenRequest& request) {
            const std::scoped_lock lock(state.mutex);
            return state.give_token(request);
        });
    }
}

ProfiledRegistry::~ProfiledRegistry() = default;

FakeRegistry& ProfiledRegistry::registry() {
    return *state_->registry;
}

std::string ProfiledRegistry::host() {
    return state_->registry->host();
}

std::map<std::string, std::string> ProfiledRegistry::environment() {
    if (state_->product == Product::acr) {
        return {{"DOCKER_AUTH_CONFIG", R"({"auths":{")" + host() + R"(":{"auth":")" +
                                           base64_encode("00000000-0000-0000-0000-000000000000:") +
                                           R"(","identitytoken":")" + identity_token + R"("}}})"}};
    }
    return {{"WASMPLUG_USERNAME", state_->account()}, {"WASMPLUG_PASSWORD", password}};
}

std::vector<std::string> ProfiledRegistry::complaints() {
    const std::scoped_lock lock(state_->mutex);
    return state_->complaints;
}

int ProfiledRegistry::oddities() {
    const std::scoped_lock lock(state_->mutex);
    return state_->oddities;
}

std::string to_string(Product product) {
    switch (product) {
        case Product::docker_hub:
            return "DockerHub";
        case Product::ghcr:
            return "Ghcr";
        case Product::ecr:
            return "Ecr";
        case Product::artifact_registry:
            return "ArtifactRegistry";
        case Product::acr:
            return "Acr";
        case Product::harbor:
            return "Harbor";
        case Product::quay:
            return "Quay";
        case Product::gitlab:
            return "GitLab";
        case Product::artifactory:
            return "Artifactory";
        case Product::nexus:
            return "Nexus";
    }
    return "";
}

}  // namespace wasmplug::test
