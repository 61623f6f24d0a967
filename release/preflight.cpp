#include "release/preflight.hpp"

#include <fmt/format.h>

#include <atomic>

#include "base/parallel.hpp"

namespace wasmplug::release {

Artefacts look_up_all(const std::vector<oci::ArtefactQuery>& list, const LookupSettings& settings,
                      Services& services) {
    std::atomic<std::size_t> done = 0;
    auto facts = parallel(
        list.size(),
        [&](std::size_t i) {
            // A client is for one thread only; the process's own stays with its thread.
            HttpClient client("wasmplug/" WASMPLUG_VERSION);
            Services own = services;
            own.send = [&](const HttpRequest& request, const Cancel& cancel) {
                return client.send(request, cancel);
            };
            own.send_all = [&](const std::vector<HttpRequest>& requests, std::size_t at_once,
                               const OnDone& on_done, const Cancel& cancel) {
                client.send_all(requests, at_once, on_done, cancel);
            };
            auto result = oci::look_up(list[i], settings.via, settings.registry, own);
            services.out.progress(fmt::format("looked up {} of {} images", ++done, list.size()));
            return result;
        },
        services.cancel, settings.parallel);
    services.out.progress("");
    Artefacts artefacts;
    for (std::size_t i = 0; i < list.size(); ++i) {
        artefacts.emplace(list[i].url, std::move(facts[i]));
    }
    return artefacts;
}

oci::HostNames parse_via(const std::vector<std::string>& texts) {
    oci::HostNames names;
    for (const auto& text : texts) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0 || equals + 1 == text.size() ||
            text.find('/') != std::string::npos) {
            throw usage_error(fmt::format("--via {} is no HOST=HOST", text),
                              "the cluster's name first: registry.kube-system:5000=localhost:5000");
        }
        names[text.substr(0, equals)] = text.substr(equals + 1);
    }
    return names;
}

}  // namespace wasmplug::release
