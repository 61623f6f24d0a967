#include "commands/plugin_counters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/yaml.hpp"
#include "toolchain/project.hpp"

namespace wasmplug {
namespace {

namespace fs = std::filesystem;

// As toolchain/templates spell it: "my-plugin" counts wasmplug_my_plugin_errors_total.
std::string counter_of(std::string name) {
    std::replace(name.begin(), name.end(), '-', '_');
    return "wasmplug_" + name + "_errors_total";
}

// Whether the module's data hold the text; AssemblyScript keeps its texts as UTF-16.
bool mentions(const std::string& module, const std::string& text) {
    std::string wide;
    for (const char c : text) {
        wide += {c, '\0'};
    }
    return module.find(text) != std::string::npos || module.find(wide) != std::string::npos;
}

std::vector<std::string> counters_of(const fs::path& manifest) {
    std::vector<std::string> counters;
    const auto file = yaml::File::read(manifest);
    for (const auto& document : file.documents()) {
        const auto* kind = document.root ? document.root->find("kind") : nullptr;
        const auto* metadata = document.root ? document.root->find("metadata") : nullptr;
        const auto* name = metadata ? metadata->find("name") : nullptr;
        const auto what = kind ? kind->as_string() : std::nullopt;
        if (name && (what == "WasmPlugin" || what == "TrafficExtension")) {
            counters.push_back(counter_of(std::string(name->text())));
        }
    }
    return counters;
}

}  // namespace

std::vector<std::string> error_counters(const std::string& subject, Services& services) {
    const fs::path path = subject;
    if (!fs::exists(path)) {
        throw Error(fmt::format("{} does not exist", subject),
                    "name a project, or the manifest of a plugin");
    }
    const fs::path folder = fs::is_directory(path) ? path : fs::absolute(path).parent_path();
    const auto project = toolchain::project_at(folder);
    if (!project) {
        if (fs::is_directory(path)) {
            throw Error(fmt::format("{} is no project of a plugin", subject),
                        "name its manifest instead");
        }
        return counters_of(path);
    }
    const std::string counter = counter_of(project->name);
    if (fs::exists(project->module()) && !mentions(read_file(project->module()), counter)) {
        services.out.warn(fmt::format("{} defines no {}: no alert watches its errors",
                                      project->module().string(), counter));
        return {};
    }
    return {counter};
}

}  // namespace wasmplug
