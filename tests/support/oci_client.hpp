#pragma once

// Header only: the room it needs (oci) is linked by the suites that include it.

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/services.hpp"
#include "oci/open.hpp"
#include "tests/support/fake_registry.hpp"
#include "tests/support/oci_fixtures.hpp"

namespace wasmplug::test {

// A client whose waits are recorded and not waited for.
class Client {
  public:
    explicit Client(std::map<std::string, std::string> variables = {})
        : variables_(std::move(variables)) {
        services.environment = [this](const std::string& name) -> std::optional<std::string> {
            const auto found = variables_.find(name);
            return found == variables_.end() ? std::nullopt : std::optional(found->second);
        };
        services.sleep = [this](std::chrono::nanoseconds time, const Cancel&) {
            waits.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(time));
        };
        options.stall_timeout = std::chrono::milliseconds(150);
    }

    std::unique_ptr<oci::Store> open(const std::string& host,
                                     oci::Access access = oci::Access::push,
                                     const std::string& repository = "acme/auth") {
        return oci::open_store(parse_reference(host + "/" + repository), access, options, services);
    }

    oci::WriteReport push(const std::string& host, const oci::Image& image) {
        return open(host)->write(image, {"v1"});
    }

    std::string push_error(const std::string& host, const oci::Image& image) {
        try {
            push(host, image);
        } catch (const Error& error) {
            return error.full_message() + " | " + error.hint();
        }
        return "pushed";
    }

    std::string text() const { return err_.str(); }

    std::vector<std::chrono::milliseconds> waits;
    oci::RegistryOptions options;

  private:
    std::map<std::string, std::string> variables_;
    std::ostringstream out_;
    std::ostringstream err_;
    Output output_{out_, err_};
    HttpClient http_{"test"};

  public:
    Services services{.out = output_,
                      .cancel = {},
                      .send = [this](const HttpRequest& request,
                                     const Cancel& cancel) { return http_.send(request, cancel); },
                      .send_all =
                          [this](const std::vector<HttpRequest>& requests, std::size_t n,
                                 const OnDone& done, const Cancel& cancel) {
                              http_.send_all(requests, n, done, cancel);
                          }};
};

inline bool is(const SeenRequest& request, const char* method, const char* part) {
    return request.method == method && request.path().find(part) != std::string::npos;
}

// For a table of faults whose rows share a scene.
template <class Scene>
std::function<std::optional<Answer>(Scene&, const SeenRequest&)> always(const char* method,
                                                                        const char* part,
                                                                        const Answer& bad) {
    return [=](Scene&, const SeenRequest& request) {
        return is(request, method, part) ? std::optional(bad) : std::nullopt;
    };
}

// Answers `bad` to the first `times` requests that match.
inline FakeRegistry::Fault first(int times, const char* method, const char* part, Answer bad) {
    return [=, left = std::make_shared<int>(times)](
               const SeenRequest& request) -> std::optional<Answer> {
        if (!is(request, method, part) || (*left)-- <= 0) {
            return std::nullopt;
        }
        return bad;
    };
}

}  // namespace wasmplug::test
