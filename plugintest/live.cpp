#include "plugintest/live.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/yaml_write.hpp"
#include "plugintest/gcp_input.hpp"

namespace wasmplug::plugintest {
namespace {

using nlohmann::ordered_json;

// The client makes these itself.
bool is_framing(std::string_view name) {
    return name == "content-length" || name == "transfer-encoding" || name == "connection";
}

std::string url_of(const LiveTarget& target, const std::string& path) {
    std::string base = target.url;
    while (base.ends_with('/')) {
        base.pop_back();
    }
    return base + (path.starts_with('/') ? path : "/" + path);
}

Message message_of(const HttpResponse& response) {
    Message message;
    message.headers = {{":status", std::to_string(response.status)}};
    for (const auto& [name, value] : response.headers) {
        message.headers.emplace_back(lower_case(name), value);
    }
    if (!response.body.empty()) {
        message.body = {response.body};
    }
    return message;
}

void keep_response_only(Expect& expect) {
    Expect kept;
    kept.response = std::move(expect.response);
    if (kept.response) {
        kept.response->details.reset();
    }
    // What the plugin answers by itself is what the client gets.
    if (expect.local_reply && !kept.response) {
        kept.response = std::move(expect.local_reply);
        kept.response->details.reset();
        kept.response->grpc_status.reset();
    }
    kept.place = expect.place;
    kept.given = kept.response.has_value();
    expect = std::move(kept);
}

}  // namespace

HttpRequest live_request(const LiveTarget& target, const Message& message) {
    HttpRequest request;
    request.method = first_header(message.headers, ":method");
    request.url = url_of(target, first_header(message.headers, ":path"));
    for (const auto& [name, value] : message.headers) {
        if (!name.starts_with(':') && !is_framing(name)) {
            request.headers.emplace_back(name, value);
        }
    }
    // A test that names no authority means the endpoint's own.
    const std::string authority = first_header(message.headers, ":authority");
    if (!authority.empty() && authority != default_authority) {
        request.headers.emplace_back("Host", authority);
    }
    request.headers.insert(request.headers.end(), target.headers.begin(), target.headers.end());
    if (!message.body.empty()) {
        request.body = body_of(message.whole_body());
    }
    request.max_redirects = 0;
    request.resolve = target.resolve;
    request.tls = target.tls;
    return request;
}

void check_target(const LiveTarget& target) {
    const auto url = parse_url(target.url);
    if (!url) {
        throw usage_error(fmt::format("'{}' is no http or https URL", display_url(target.url)),
                          "write https://HOST[:PORT]");
    }
    // It would stand in reports, and in what others see of the command line.
    if (url->has_user) {
        throw usage_error(fmt::format("the URL of {} holds a user or a password", url->origin()),
                          "write --header 'authorization: ...'");
    }
}

Engine live_engine(const LiveTarget& target, const Send& send, const Cancel& cancel) {
    return [target, send, cancel](const Case& test) {
        Observed seen;
        for (const auto& step : test.steps) {
            StepObserved& shown = seen.steps.emplace_back();
            if (!step.request) {
                continue;
            }
            try {
                shown.response = message_of(send(live_request(target, *step.request), cancel));
            } catch (const HttpError& error) {
                shown.outcome = Outcome::reset;
                shown.response_details = error.what();
            }
            seen.trace.push_back(
                fmt::format("{} {} -> {}", first_header(step.request->headers, ":method"),
                            first_header(step.request->headers, ":path"),
                            shown.response ? first_header(shown.response->headers, ":status")
                                           : shown.response_details));
        }
        return seen;
    };
}

TestCase client_visible(TestCase test) {
    if (test.skip) {
        return test;
    }
    const auto& given = test.test;
    const bool waits = std::any_of(given.steps.begin(), given.steps.end(), [](const auto& step) {
        return step.ticks > 0 || step.advance.count() > 0 || step.push;
    });
    const bool upstream_matters =
        std::any_of(given.steps.begin(), given.steps.end(), [](const auto& step) {
            return step.upstream_resets || step.upstream.headers.size() > 2 ||
                   !step.upstream.body.empty() ||
                   first_header(step.upstream.headers, ":status") != "200";
        });
    if (test.own_config) {
        test.skip = "it has a configuration of its own, and the endpoint has one already";
    } else if (!given.calls.empty()) {
        test.skip = "the services that the plugin calls are the endpoint's own";
    } else if (waits) {
        test.skip = "nothing can move the endpoint's clock or fill its queues";
    } else if (upstream_matters) {
        test.skip = "the endpoint's upstream answers as it likes";
    }
    keep_response_only(test.whole);
    bool visible = test.whole.given;
    for (auto& step : test.steps) {
        keep_response_only(step);
        visible = visible || step.given;
    }
    if (!test.skip && !visible) {
        test.skip = "it expects nothing that a client can see";
    }
    return test;
}

std::string recorded_test(const LiveTarget& target, const std::string& method,
                          const std::string& path, const Send& send, const Cancel& cancel) {
    Message message;
    message.headers = {{":method", method}, {":path", path}};
    const auto response = message_of(send(live_request(target, message), cancel));
    ordered_json expected{{"status", std::atoi(first_header(response.headers, ":status").c_str())}};
    for (const auto& [name, value] : response.headers) {
        if (name.starts_with(':') || is_volatile_header(name) || !is_text(value)) {
            continue;
        }
        auto& place = expected["headers"][name];
        if (place.is_null()) {
            place = value;
            continue;
        }
        if (!place.is_array()) {
            place = ordered_json::array({place});
        }
        place.push_back(value);
    }
    constexpr std::size_t longest = 64 * 1024;
    const std::string body = response.whole_body();
    const bool kept = body.size() <= longest && is_text(body);
    if (kept && !body.empty()) {
        expected["body"] = body;
    }
    const ordered_json test{{"name", fmt::format("{} {}", method, path)},
                            {"request", {{"method", method}, {"path", path}}},
                            {"expect", {{"response", std::move(expected)}}}};
    return (kept ? ""
                 : fmt::format("# The body is left out: its {} bytes are {}.\n", body.size(),
                               body.size() > longest ? "too many" : "no text")) +
           yaml::write({{"wasmplug", 1},
                        {"plugin", {{"wasm", "build/plugin.wasm"}}},
                        {"tests", ordered_json::array({test})}});
}

}  // namespace wasmplug::plugintest
