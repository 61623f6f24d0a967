#include "base/target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "base/error.hpp"

namespace wasmplug {
namespace fs = std::filesystem;

namespace {

// As kubectl spells a resource: singular, plural, with or without its group.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> resources{{
    {"wasmplugin", "wasmplugin"},
    {"wasmplugins", "wasmplugin"},
    {"wasmplugin.extensions.istio.io", "wasmplugin"},
    {"wasmplugins.extensions.istio.io", "wasmplugin"},
    {"trafficextension", "trafficextension"},
    {"trafficextensions", "trafficextension"},
    {"trafficextension.extensions.istio.io", "trafficextension"},
    {"trafficextensions.extensions.istio.io", "trafficextension"},
}};

}  // namespace

Target parse_target(std::string_view text) {
    Target target;
    const std::size_t slash = text.find('/');
    if (slash != std::string_view::npos && slash + 1 < text.size() &&
        text.find('/', slash + 1) == std::string_view::npos) {
        const auto found = std::ranges::find(resources, text.substr(0, slash),
                                             &std::pair<std::string_view, std::string_view>::first);
        if (found != resources.end()) {
            target.kind = Target::Kind::live;
            target.resource = found->second;
            target.name = text.substr(slash + 1);
            return target;
        }
    }
    target.path = fs::path(text);
    std::error_code problem;
    const auto status = fs::status(target.path, problem);
    if (fs::is_directory(status)) {
        target.kind = Target::Kind::folder;
    } else if (!fs::exists(status)) {
        throw Error(fmt::format("there is no file or folder {}", text));
    }
    return target;
}

}  // namespace wasmplug
