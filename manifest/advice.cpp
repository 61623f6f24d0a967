#include "manifest/advice.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace wasmplug::manifest {
namespace {

constexpr auto npos = std::string_view::npos;

// All words of `also` have to stand on the same line.
struct Advice {
    std::string_view words;
    std::string_view also;
    std::string_view message;
    std::string_view fix;
};

// reference: the commands of istioctl 1.31; a merge patch (RFC 7396) leaves keys that it does not
// name.
constexpr std::array table = {
    Advice{"istioctl proxy-config wasm", "", "istioctl has no proxy-config wasm",
           "istioctl proxy-config ecds POD -o json"},
    Advice{"istioctl pc wasm", "", "istioctl has no proxy-config wasm",
           "istioctl proxy-config ecds POD -o json"},
    Advice{"istioctl wasm", "", "istioctl has no wasm", "wasmplug push, wasmplug inspect"},
    Advice{"istioctl experimental wasm", "", "istioctl has no wasm",
           "wasmplug push, wasmplug inspect"},
    Advice{"istioctl verify-install", "", "istioctl verify-install was removed",
           "istioctl version, and istioctl analyze for the configuration"},
    Advice{"istioctl analyze -f", "", "istioctl analyze takes files without -f",
           "istioctl analyze FILE, or wasmplug validate FILE, which sees more of a plugin"},
    Advice{"kubectl patch", "merge",
           "a merge patch keeps configuration keys that the new text does not name: as a rollback "
           "it leaves those of the version it takes back",
           "wasmplug rollback TARGET, or a JSON patch of all of spec.pluginConfig"},
};

bool is_about_plugins(std::string_view line) {
    return line.find("wasmplugin") != npos || line.find("WasmPlugin") != npos ||
           line.find("trafficextension") != npos || line.find("TrafficExtension") != npos;
}

}  // namespace

void check_advice(Checked& checked) {
    const auto& object = checked.object;
    const auto text = object.file.text().substr(object.range.begin, object.range.size());
    if (text.find("istioctl ") == npos && text.find("kubectl patch") == npos) {
        return;
    }
    Findings findings;
    for (const auto& advice : table) {
        for (auto at = text.find(advice.words); at != npos;
             at = text.find(advice.words, at + advice.words.size())) {
            const auto line = text.substr(at, text.find('\n', at) - at);
            const bool meant =
                advice.also.empty() || (line.find(advice.also) != npos && is_about_plugins(line));
            if (meant) {
                const auto begin = object.range.begin + at;
                findings
                    .add("WP304", {}, {begin, begin + advice.words.size()},
                         std::string(advice.message))
                    .fix = advice.fix;
            }
        }
    }
    if (!findings.all().empty()) {
        checked.skipped.clear();
        checked.findings.insert(checked.findings.end(), findings.all().begin(),
                                findings.all().end());
    }
}

}  // namespace wasmplug::manifest
