#include "commands/inspect_report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/output.hpp"
#include "base/terminal.hpp"
#include "istio/releases.hpp"
#include "oci/media_types.hpp"
#include "wasm/abi.hpp"

namespace wasmplug {
namespace {

std::string type_text(const wasm::FunctionType* type) {
    return type == nullptr ? "" : wasm::to_text(*type);
}

std::string type_of(const wasm::Module& module, const wasm::Export& exported) {
    return exported.kind == wasm::ExternalKind::function
               ? type_text(module.function_type(exported.index))
               : std::string(wasm::to_text(exported.kind));
}

std::string type_of(const wasm::Module& module, const wasm::Import& import) {
    return import.kind == wasm::ExternalKind::function ? type_text(module.type_of(import))
                                                       : std::string(wasm::to_text(import.kind));
}

std::string memory_text(const wasm::Module& module) {
    if (module.memories.empty()) {
        return "none";
    }
    const wasm::Size& memory = module.memories.front();
    return fmt::format(
        "{} pages ({}), {}", memory.minimum, format_size(memory.minimum << 16),
        memory.maximum ? fmt::format("at most {}", *memory.maximum) : std::string("no maximum"));
}

std::string abi_text(const wasm::Module& module) {
    const auto abi = wasm::abi_of(module);
    return abi ? std::string(wasm::to_text(*abi)) : "none";
}

std::string allocator_text(const wasm::Module& module) {
    const wasm::Export* allocator = wasm::allocator_of(module);
    return allocator == nullptr ? "none" : allocator->name;
}

// " (Istio 1.25)", or nothing when no Istio ships that Envoy yet.
std::string first_istio(int envoy_minor) {
    const int istio = istio::envoy_for(fmt::format("envoy-1.{}", envoy_minor)).istio;
    return istio == 0 ? "" : fmt::format(" (Istio 1.{})", istio);
}

std::string loads_text(const InspectResult& result) {
    if (!result.loads_since) {
        return "no Envoy";
    }
    return *result.loads_since <= wasm::oldest_envoy_minor
               ? std::string("every Envoy")
               : fmt::format("Envoy 1.{} or newer{}", *result.loads_since,
                             first_istio(*result.loads_since));
}

std::string module_tables(const wasm::Module& module) {
    Table imports{{"IMPORT", "TYPE"}, {}};
    for (const auto& import : module.imports) {
        imports.rows.push_back(
            {printable(import.module + "." + import.name), type_of(module, import)});
    }
    Table exports{{"EXPORT", "TYPE"}, {}};
    for (const auto& exported : module.exports) {
        exports.rows.push_back({printable(exported.name), type_of(module, exported)});
    }
    Table sections{{"SECTION", "OFFSET", "SIZE"}, {}};
    for (const auto& section : module.sections) {
        sections.rows.push_back(
            {section.id == 0 ? "custom " + printable(section.name) : section.name,
             std::to_string(section.offset), format_size(section.size)});
    }
    std::string text;
    for (const auto* table : {&imports, &exports, &sections}) {
        if (!table->rows.empty()) {
            text += '\n' + to_text(*table);
        }
    }
    return text;
}

std::string verdict_text(const InspectResult& result) {
    if (result.verdict.loads) {
        const std::string& open = result.verdict.not_judged;
        const std::string host = result.host.empty() ? "Envoy" : result.host;
        return !open.empty() ? fmt::format("\n{} loads it, but for what was not judged: {}\n", host,
                                           printable(open))
               : result.host.empty() ? ""
                                     : fmt::format("\n{} loads it\n", host);
    }
    std::string text = fmt::format("\n{} does not load it and logs\n",
                                   result.host.empty() ? "Envoy" : result.host);
    for (const auto& line : result.verdict.log) {
        text += "  " + printable(line) + '\n';
    }
    return text + fmt::format("because {}\n", printable(result.verdict.reason));
}

std::string image_text(const InspectedImage& image) {
    std::string text = fmt::format("{}\n  image digest  {}\n", image.reference, image.digest);
    if (!image.index_digest.empty()) {
        text += fmt::format("  chosen from index {} for linux/amd64\n", image.index_digest);
    }
    Table layers{{"  LAYER", "DIGEST", "SIZE"}, {}};
    for (const auto& layer : image.manifest.layers) {
        layers.rows.push_back(
            {"  " + printable(layer.media_type), layer.digest, format_size(layer.size)});
    }
    text += to_text(layers);
    if (const auto schema = image.manifest.annotations.find(oci::annotation::config_schema);
        schema != image.manifest.annotations.end()) {
        text += fmt::format("  carries the schema of pluginConfig ({})\n",
                            format_size(schema->second.size()));
    }
    for (const auto& host : image.hosts) {
        text += host.loads ? fmt::format("  {} loads this layout\n", host.host)
                           : fmt::format("  {} does not load this layout: {}\n", host.host,
                                         printable(host.message));
    }
    if (image.referrers) {
        Table referrers{{"  REFERRER", "DIGEST"}, {}};
        for (const auto& referrer : *image.referrers) {
            referrers.rows.push_back({"  " + printable(referrer.artifact_type), referrer.digest});
        }
        text += referrers.rows.empty() ? "  no referrers\n" : to_text(referrers);
    }
    return text + '\n';
}

nlohmann::ordered_json or_null(std::string_view text) {
    return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
}

nlohmann::ordered_json module_json(const wasm::Module& module) {
    using nlohmann::ordered_json;
    ordered_json imports = ordered_json::array();
    for (const auto& import : module.imports) {
        imports.push_back({{"module", import.module},
                           {"name", import.name},
                           {"kind", wasm::to_text(import.kind)},
                           {"type", or_null(type_text(module.type_of(import)))}});
    }
    ordered_json exports = ordered_json::array();
    for (const auto& exported : module.exports) {
        const bool function = exported.kind == wasm::ExternalKind::function;
        exports.push_back({{"name", exported.name},
                           {"kind", wasm::to_text(exported.kind)},
                           {"type", or_null(function ? type_of(module, exported) : "")}});
    }
    ordered_json sections = ordered_json::array();
    for (const auto& section : module.sections) {
        sections.push_back({{"name", section.name},
                            {"custom", section.id == 0},
                            {"offset", section.offset},
                            {"size", section.size}});
    }
    ordered_json memories = ordered_json::array();
    for (const auto& memory : module.memories) {
        memories.push_back(
            {{"minimum_pages", memory.minimum},
             {"maximum_pages", memory.maximum ? ordered_json(*memory.maximum) : ordered_json()}});
    }
    const auto abi = wasm::abi_of(module);
    const wasm::Export* allocator = wasm::allocator_of(module);
    return {{"abi", abi ? ordered_json(wasm::to_text(*abi)) : ordered_json()},
            {"entry", or_null(wasm::entry_of(module))},
            {"allocator", or_null(allocator == nullptr ? "" : allocator->name)},
            {"start_function", module.start ? ordered_json(*module.start) : ordered_json()},
            {"memories", memories},
            {"functions", module.functions.size()},
            {"imports", imports},
            {"exports", exports},
            {"sections", sections}};
}

nlohmann::ordered_json annotations_json(const oci::Annotations& annotations) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (const auto& [key, value] : annotations) {
        object[key] = value;
    }
    return object;
}

nlohmann::ordered_json descriptor_json(const oci::Descriptor& descriptor) {
    return {{"media_type", descriptor.media_type},
            {"artifact_type", or_null(descriptor.artifact_type)},
            {"digest", descriptor.digest},
            {"size", descriptor.size},
            {"annotations", annotations_json(descriptor.annotations)}};
}

nlohmann::ordered_json descriptors_json(const std::vector<oci::Descriptor>& descriptors) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& descriptor : descriptors) {
        list.push_back(descriptor_json(descriptor));
    }
    return list;
}

nlohmann::ordered_json image_json(const InspectedImage& image) {
    nlohmann::ordered_json hosts = nlohmann::ordered_json::array();
    for (const auto& host : image.hosts) {
        hosts.push_back(
            {{"host", host.host}, {"loads", host.loads}, {"message", or_null(host.message)}});
    }
    return {{"reference", image.reference},
            {"digest", image.digest},
            {"index_digest", or_null(image.index_digest)},
            {"media_type", image.manifest.media_type},
            {"artifact_type", or_null(image.manifest.artifact_type)},
            {"annotations", annotations_json(image.manifest.annotations)},
            {"config", descriptor_json(image.manifest.config)},
            {"layers", descriptors_json(image.manifest.layers)},
            {"hosts", hosts},
            {"referrers",
             image.referrers ? descriptors_json(*image.referrers) : nlohmann::ordered_json()}};
}

}  // namespace

std::string to_text(const InspectResult& result) {
    std::string text = result.image ? image_text(*result.image) : "";
    text +=
        fmt::format("{}: {} bytes, module sha256 {}\n", result.what, result.size, result.sha256);
    if (result.module) {
        const wasm::Module& module = *result.module;
        Table facts;
        facts.rows = {
            {"  ABI", abi_text(module)},
            {"  language", std::string(wasm::to_text(result.language.language)) +
                               (result.language.evidence.empty()
                                    ? ""
                                    : fmt::format(" ({})", result.language.evidence))},
            {"  entry",
             std::string(wasm::entry_of(module).empty() ? "none" : wasm::entry_of(module))},
            {"  allocator", allocator_text(module)},
            {"  memory", memory_text(module)},
            {"  functions",
             fmt::format("{}, {} of them imported, {} named", module.functions.size(),
                         module.imported_functions, result.named_functions)},
            {"  loads in", loads_text(result)},
        };
        if (module.start) {
            facts.rows.push_back({"  start", fmt::format("function {}", *module.start)});
        }
        text += to_text(facts) + module_tables(module);
    }
    return text + verdict_text(result);
}

nlohmann::ordered_json to_json(const InspectResult& result) {
    using nlohmann::ordered_json;
    ordered_json document = {{"version", 1},
                             {"what", result.what},
                             {"size", result.size},
                             {"module_sha256", result.sha256}};
    if (result.image) {
        document["image"] = image_json(*result.image);
    }
    if (result.module) {
        document.update(module_json(*result.module));
        document["named_functions"] = result.named_functions;
        document["language"] = {{"name", wasm::to_text(result.language.language)},
                                {"evidence", result.language.evidence}};
        ordered_json producers = ordered_json::array();
        for (const auto& producer : result.producers) {
            producers.push_back({{"field", producer.field},
                                 {"name", producer.name},
                                 {"version", producer.version}});
        }
        document["producers"] = producers;
        ordered_json warnings = ordered_json::array();
        for (const auto& warning : result.warnings) {
            warnings.push_back(
                {{"id", warning.id}, {"message", warning.message}, {"hint", warning.hint}});
        }
        document["warnings"] = warnings;
    } else {
        document["fault"] = result.fault;
    }
    document["loads_since"] = result.loads_since
                                  ? ordered_json(fmt::format("envoy-1.{}", *result.loads_since))
                                  : ordered_json();
    document["for"] = or_null(result.host);
    document["loads"] = result.verdict.loads;
    document["message"] = or_null(result.verdict.message);
    document["log"] = result.verdict.log;
    document["reason"] = or_null(result.verdict.reason);
    document["not_judged"] = or_null(result.verdict.not_judged);
    return document;
}

}  // namespace wasmplug
