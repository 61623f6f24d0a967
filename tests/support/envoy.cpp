#include "tests/support/envoy.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/cancel.hpp"
#include "base/http.hpp"
#include "tests/support/require.hpp"

namespace wasmplug::test {
namespace {

namespace fs = std::filesystem;

ProcessSpec envoy_with(const fs::path& folder, const std::string& bootstrap) {
    const auto binary = envoy_binary();
    if (!binary) {
        throw std::runtime_error("Envoy is not installed");
    }
    const auto config = folder / "envoy.yaml";
    write_file(config, bootstrap);
    ProcessSpec spec;
    spec.argv = {binary->string(),       "-c", config.string(), "--disable-hot-restart",
                 "--concurrency",        "1",  "--log-level",   "info",
                 "--use-dynamic-base-id"};
    return spec;
}

std::string get(const std::string& url) {
    HttpRequest request;
    request.url = url;
    return HttpClient("tests").send(request, Cancel{}).body;
}

}  // namespace

std::optional<fs::path> envoy_binary() {
    const char* named = std::getenv("WASMPLUG_ENVOY");
    const fs::path path =
        named != nullptr ? fs::path(named) : cache_folder() / "envoy-1.40.0" / "envoy";
    return ::access(path.c_str(), X_OK) == 0 ? std::optional(path) : std::nullopt;
}

std::string envoy_bootstrap(const fs::path& module, std::string_view configuration) {
    const nlohmann::json plugin_configuration = {
        {"@type", "type.googleapis.com/google.protobuf.StringValue"}, {"value", configuration}};
    return fmt::format(R"(admin:
  address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}
static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          stream_idle_timeout: 10s
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                direct_response: {{status: 200, body: {{inline_string: upstream}}}}
          http_filters:
          - name: plugin
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: plugin
                failure_policy: FAIL_CLOSED
                configuration: {}
                vm_config:
                  runtime: envoy.wasm.runtime.v8
                  code: {{local: {{filename: {}}}}}
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
)",
                       plugin_configuration.dump(), nlohmann::json(module.string()).dump());
}

ProcessResult envoy_validate(const std::string& bootstrap) {
    const TemporaryDirectory folder;
    auto spec = envoy_with(folder.path(), bootstrap);
    spec.argv.insert(spec.argv.end(), {"--mode", "validate"});
    return run_process(spec, Cancel{});
}

Envoy::Envoy(const std::string& bootstrap) {
    auto spec = envoy_with(folder_.path(), bootstrap);
    const auto admin = folder_.path() / "admin";
    spec.argv.insert(spec.argv.end(), {"--admin-address-path", admin.string()});
    spec.on_stderr = [this](std::string_view text) {
        const std::lock_guard lock(mutex_);
        log_ += text;
    };
    child_.emplace(start_process(spec));
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (bool ready = false; !ready;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        if (child_->ended() || std::chrono::steady_clock::now() > give_up) {
            throw std::runtime_error("Envoy is not ready: " + log());
        }
        admin_ = read_file_if_there(admin).value_or("");
        ready = !admin_.empty() && get(admin_url("/ready")).starts_with("LIVE");
    }
    const auto listeners = nlohmann::json::parse(get(admin_url("/listeners?format=json")));
    const auto& address =
        listeners.at("listener_statuses").at(0).at("local_address").at("socket_address");
    listener_ = "127.0.0.1:" + std::to_string(address.at("port_value").get<int>());
}

Envoy::~Envoy() {
    child_.reset();  // before the log that its reader thread writes to
}

std::string Envoy::log() const {
    const std::lock_guard lock(mutex_);
    return log_;
}

}  // namespace wasmplug::test
