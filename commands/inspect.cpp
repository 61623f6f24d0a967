#include <fmt/format.h>

#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "commands/command.hpp"
#include "wasm/abi.hpp"
#include "wasm/lint.hpp"
#include "wasm/loading.hpp"

namespace wasmplug {
namespace {

struct InspectOptions {
    std::string what;
    std::string host;
};

struct InspectResult {
    std::string what;
    std::string sha256;
    std::size_t size = 0;
    std::optional<wasm::Module> module;  // nothing: it cannot be read, and `fault` says why
    std::string fault;
    wasm::LanguageGuess language;
    std::vector<wasm::Producer> producers;
    std::size_t named_functions = 0;
    std::vector<wasm::Warning> warnings;
    std::optional<int> loads_since;
    std::string host;
    wasm::LoadVerdict verdict;  // for `host`, or for the newest Envoy
};

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

std::string loads_text(const InspectResult& result) {
    if (!result.loads_since) {
        return "no Envoy";
    }
    return *result.loads_since <= wasm::oldest_envoy_minor
               ? std::string("every Envoy")
               : fmt::format("Envoy 1.{} or newer (Istio 1.{})", *result.loads_since,
                             *result.loads_since - 8);
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
        return result.host.empty() ? "" : fmt::format("\n{} loads it\n", result.host);
    }
    std::string text = fmt::format("\n{} does not load it and logs\n",
                                   result.host.empty() ? "Envoy" : result.host);
    for (const auto& line : result.verdict.log) {
        text += "  " + printable(line) + '\n';
    }
    return text + fmt::format("because {}\n", printable(result.verdict.reason));
}

std::string to_text(const InspectResult& result) {
    std::string text =
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

nlohmann::ordered_json to_json(const InspectResult& result) {
    using nlohmann::ordered_json;
    ordered_json document = {{"version", 1},
                             {"what", result.what},
                             {"size", result.size},
                             {"module_sha256", result.sha256}};
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
    return document;
}

InspectResult inspect(const InspectOptions& options, const std::string& bytes) {
    InspectResult result;
    result.what = options.what;
    result.size = bytes.size();
    result.sha256 = sha256_hex(bytes);
    result.host = options.host;
    const int minor =
        options.host.empty() ? wasm::newest_envoy_minor : wasm::envoy_minor_of(options.host);
    result.verdict = wasm::would_load(bytes, wasm::envoy_rules(minor));
    result.loads_since = wasm::loads_since(bytes);
    try {
        result.module = wasm::read_module(bytes);
        result.language = wasm::guess_language(bytes, *result.module);
        result.producers = wasm::read_producers(bytes, *result.module);
        result.named_functions = wasm::read_names(bytes, *result.module).functions.size();
        result.warnings = wasm::lint(*result.module);
    } catch (const wasm::ModuleError& error) {
        result.fault = error.what();
    }
    return result;
}

ExitCode run_inspect(const InspectOptions& options, Services& services) {
    const std::string bytes =
        options.what == "-" ? read_stdin(std::size_t{256} << 20) : read_file(options.what);
    const InspectResult result = inspect(options, bytes);
    if (!result.module && options.host.empty()) {
        throw Error(fmt::format("{}: {}", options.what, result.fault),
                    "'--for envoy-1.40' shows what Envoy would log");
    }
    services.out.show(result);
    for (const auto& warning : result.warnings) {
        services.out.warn(warning.message, warning.hint);
    }
    return result.host.empty() || result.verdict.loads ? ExitCode::ok : ExitCode::rejected;
}

void add_inspect(CLI::App& command, Run& selected) {
    auto options = std::make_shared<InspectOptions>();
    command.add_option("WHAT", options->what, "A module; - reads standard input")
        ->required()
        ->type_name("FILE");
    command
        .add_option("--for", options->host,
                    "The release to judge for: envoy-1.40, istio-1.28; exit 3 when it would not "
                    "load the module")
        ->type_name("HOST");
    command.footer(
        "wasmplug inspect plugin.wasm\n"
        "wasmplug inspect plugin.wasm --for istio-1.28 -o json");
    selects(command, selected, options, run_inspect);
}

}  // namespace

extern const Command inspect_command;
const Command inspect_command = {.name = "inspect",
                                 .summary = "Show what a module holds and which Envoy loads it",
                                 .group = Group::create,
                                 .add = add_inspect};

}  // namespace wasmplug
