#include "manifest/convert.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/diff.hpp"
#include "base/file.hpp"
#include "commands/command.hpp"
#include "manifest/objects.hpp"

namespace wasmplug {
namespace {

using manifest::Kind;

struct ConvertOptions {
    std::string file;
    std::string to;
    bool write = false;
    bool dry_run = false;
};

// The kind that the first of ours is not.
Kind other_kind(const yaml::File& file) {
    for (const auto& object : manifest::objects_in(file)) {
        if (object.identity == manifest::Identity::ours) {
            return object.kind == Kind::wasm_plugin ? Kind::traffic_extension : Kind::wasm_plugin;
        }
    }
    throw Error(fmt::format("{} holds no WasmPlugin and no TrafficExtension", file.name()));
}

ExitCode run_convert(const ConvertOptions& options, Services& services) {
    const bool is_stdin = options.file == "-";
    if (is_stdin && options.write) {
        throw usage_error("standard input cannot be written to");
    }
    const auto file =
        is_stdin ? yaml::File::parse(read_stdin(), "<stdin>") : yaml::File::read(options.file);
    const auto to = options.to.empty()           ? other_kind(file)
                    : options.to == "wasmplugin" ? Kind::wasm_plugin
                                                 : Kind::traffic_extension;
    const auto converted = manifest::convert(file, to);
    for (const auto& note : converted.notes) {
        services.out.note(note);
    }
    if (options.dry_run) {
        services.out.print(unified_diff(file.text(), converted.text, file.name(), file.name()));
    } else if (!options.write) {
        services.out.print(converted.text);
    } else if (converted.count > 0) {
        LockedFile locked(options.file);
        if (locked.text() != file.text()) {
            throw Error(fmt::format("{} changed while it was read", options.file), "try again",
                        ExitCode::changed);
        }
        locked.replace(converted.text);
        services.out.note(fmt::format("{}: {} converted", options.file, converted.count));
    }
    return ExitCode::ok;
}

void add_convert(CLI::App& command, Run& selected) {
    auto options = std::make_shared<ConvertOptions>();
    command.add_option("FILE", options->file, "The manifest, or - for standard input")
        ->required()
        ->type_name("FILE");
    choices(command.add_option("--to", options->to, "The kind to make; else the other one"),
            {"wasmplugin", "trafficextension"});
    command.add_flag("--write", options->write, "Write it back into the file");
    add_dry_run(command, options->dry_run);
    command.footer(
        "wasmplug convert plugin.yaml\n"
        "wasmplug convert --to trafficextension --write plugin.yaml");
    selects(command, selected, options, run_convert);
}

}  // namespace

extern const Command convert_command;
const Command convert_command = {.name = "convert",
                                 .summary = "Turn a WasmPlugin into a TrafficExtension, and back",
                                 .group = Group::declare,
                                 .add = add_convert};

}  // namespace wasmplug
