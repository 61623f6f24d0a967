#include "tests/support/registry.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/cancel.hpp"
#include "base/hash.hpp"
#include "tests/support/require.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

constexpr auto service = "test-registry";
constexpr auto issuer = "test-issuer";
// bcrypt of Registry::password, the only kind of hash that docker-registry takes.
constexpr auto htpasswd_line =
    "tester:$2b$04$DsJUnUCl5hDITqu8lb34T.QAIvf/y8TMpgd.HSuKkRGbN36xqhEFK\n";

std::string tool(std::vector<std::string> argv, std::string input = {}) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.input = std::move(input);
    const auto result = run_process(spec, Cancel{});
    if (result.exit_code != 0) {
        throw std::runtime_error(spec.argv[0] + ": " + result.err);
    }
    return result.out;
}

// RFC 7515's alphabet, without padding.
std::string base64url(std::string_view bytes) {
    std::string text = base64_encode(bytes);
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    text.erase(text.find_last_not_of('=') + 1);
    return text;
}

nlohmann::json access_to(const std::string& scope, bool known) {
    const auto first = scope.find(':');
    const auto last = scope.rfind(':');
    nlohmann::json actions = nlohmann::json::array();
    std::istringstream asked(scope.substr(last + 1));
    for (std::string action; std::getline(asked, action, ',');) {
        if (known || action == "pull") {
            actions.push_back(action);
        }
    }
    return {{"type", scope.substr(0, first)},
            {"name", scope.substr(first + 1, last - first - 1)},
            {"actions", actions}};
}

}  // namespace

// The token server of the distribution project's "Docker Registry v2 authentication": anyone may
// pull, the one account may do what it asks for.
class Registry::Tokens {
  public:
    explicit Tokens(const fs::path& folder)
        : key_((folder / "token.key").string()),
          certificate_((folder / "token.crt").string()),
          server_([this](const SeenRequest& request) { return answer(request); }) {
        tool({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
              "/CN=token-server", "-keyout", key_, "-out", certificate_});
        der_ = tool({"openssl", "x509", "-in", certificate_, "-outform", "DER"});
    }

    const std::string& certificate() const { return certificate_; }

    std::string realm() const { return server_.url("/token"); }

    std::vector<SeenRequest> seen() const { return server_.seen(); }

  private:
    Answer answer(const SeenRequest& request) {
        const auto authorization = header(request.headers, "Authorization");
        const bool known =
            authorization == "Basic " + base64_encode(std::string(user) + ":" + password);
        if (authorization && !known) {
            return {.status = 401, .body = R"({"errors":[{"code":"UNAUTHORIZED"}]})"};
        }
        nlohmann::json access = nlohmann::json::array();
        for (const auto& scopes : request.queries("scope")) {
            std::istringstream words(scopes);
            for (std::string scope; words >> scope;) {
                access.push_back(access_to(scope, known));
            }
        }
        const auto now = std::time(nullptr);
        const std::string head = base64url(nlohmann::json{
            {"typ", "JWT"},
            {"alg", "RS256"},
            {"x5c", {base64_encode(der_)}}}.dump());
        const std::string claims = base64url(nlohmann::json{
            {"iss", issuer},
            {"sub", known ? user : ""},
            {"aud", service},
            {"exp", now + 300},
            {"nbf", now - 10},
            {"iat", now},
            {"jti", std::to_string(++serial_)},
            {"access", access}}.dump());
        const std::string payload = head + "." + claims;
        const std::string signature =
            base64url(tool({"openssl", "dgst", "-sha256", "-sign", key_}, payload));
        return {
            .headers = {{"Content-Type", "application/json"}},
            .body =
                nlohmann::json{{"token", payload + "." + signature}, {"expires_in", 300}}.dump()};
    }

    std::string key_;
    std::string certificate_;
    std::string der_;
    int serial_ = 0;
    FaultServer server_;
};

bool Registry::installed() {
    return find_program("docker-registry").has_value();
}

Registry::Registry(Auth auth) {
    std::string config = "version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\n";
    config += "storage: {filesystem: {rootdirectory: \"" + (folder_.path() / "data").string() +
              "\"}, delete: {enabled: true}}\nhttp: {addr: \"127.0.0.1:0\"}\n";
    if (auth == Auth::htpasswd) {
        const auto file = folder_.path() / "htpasswd";
        write_file(file, htpasswd_line);
        config += "auth: {htpasswd: {realm: test, path: \"" + file.string() + "\"}}\n";
    } else if (auth == Auth::token) {
        tokens_ = std::make_unique<Tokens>(folder_.path());
        config += "auth: {token: {realm: \"" + tokens_->realm() + "\", service: " + service +
                  ", issuer: " + issuer + ", rootcertbundle: \"" + tokens_->certificate() +
                  "\"}}\n";
    }
    const auto file = folder_.path() / "config.yml";
    write_file(file, config);

    ProcessSpec spec;
    spec.argv = {"docker-registry", "serve", file.string()};
    spec.on_stderr = [this](std::string_view text) {
        const std::lock_guard lock(mutex_);
        log_ += text;
    };
    child_.emplace(start_process(spec));
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    constexpr std::string_view mark = "listening on ";
    while (host_.empty()) {
        const auto ended = child_->ended();
        {
            const std::lock_guard lock(mutex_);
            const auto at = log_.find(mark);
            const auto end = at == std::string::npos ? at : log_.find('"', at);
            if (end != std::string::npos) {
                host_ = log_.substr(at + mark.size(), end - at - mark.size());
                break;
            }
            if (ended || std::chrono::steady_clock::now() > give_up) {
                throw std::runtime_error("docker-registry did not start: " + log_);
            }
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

Registry::~Registry() {
    child_.reset();  // before the log that its reader thread writes to
}

std::vector<SeenRequest> Registry::token_requests() const {
    return tokens_ ? tokens_->seen() : std::vector<SeenRequest>{};
}

std::string Registry::docker_config() const {
    return nlohmann::json{
        {"auths", {{host_, {{"auth", base64_encode(std::string(user) + ":" + password)}}}}}}
        .dump();
}

}  // namespace wasmplug::test
