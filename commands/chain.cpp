#include "manifest/chain.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/yaml_write.hpp"
#include "commands/command.hpp"
#include "commands/manifest_options.hpp"

namespace wasmplug {
namespace {

struct ChainOptions {
    manifest::SourceOptions sources;
    std::string output;
    std::string root_namespace = "istio-system";
};

// Graphviz draws; it is asked for only here.
std::string draw(const std::string& dot, Services& services) {
    ProcessSpec spec;
    spec.argv = {"dot", "-Tsvg"};
    spec.input = dot;
    const auto result = services.spawn(spec, services.cancel);
    if (result.exit_code != 0) {
        throw Error(fmt::format("dot failed: {}", first_line(result.err)));
    }
    return result.out;
}

ExitCode run_chain(const ChainOptions& options, Services& services) {
    const auto placements = read_placements(options.sources, services);
    if (placements.empty()) {
        throw Error("no WasmPlugin or TrafficExtension found");
    }
    const auto chains = manifest::build_chains(placements, options.root_namespace);
    auto format = options.output;
    if (format.empty()) {
        format = services.out.format() == Format::text   ? "text"
                 : services.out.format() == Format::json ? "json"
                                                         : "yaml";
    }
    services.out.print(format == "json"      ? pretty_json(manifest::chains_json(chains))
                       : format == "yaml"    ? yaml::write(manifest::chains_json(chains))
                       : format == "mermaid" ? manifest::chains_mermaid(chains)
                       : format == "dot"     ? manifest::chains_dot(chains)
                       : format == "svg"     ? draw(manifest::chains_dot(chains), services)
                                             : manifest::chains_text(chains));
    return ExitCode::ok;
}

void add_chain(CLI::App& command, Run& selected) {
    auto options = std::make_shared<ChainOptions>();
    add_sources(command, options->sources);
    choices(command.add_option("-o,--output", options->output, "Format of the result on stdout"),
            {"text", "json", "yaml", "mermaid", "dot", "svg"});
    command.add_option("--root-namespace", options->root_namespace, "The mesh's root namespace")
        ->type_name("NAME");
    command.footer("wasmplug chain deploy/\nwasmplug chain -o svg deploy/ > chain.svg");
    selects(command, selected, options, run_chain);
}

}  // namespace

extern const Command chain_command;
const Command chain_command = {.name = "chain",
                               .summary = "Show which plugins run where, in which order and why",
                               .group = Group::declare,
                               .add = add_chain};

}  // namespace wasmplug
