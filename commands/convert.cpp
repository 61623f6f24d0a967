#include "manifest/convert.hpp"

#include <fmt/format.h>

#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/diff.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "commands/command.hpp"
#include "manifest/objects.hpp"

namespace wasmplug {
namespace {

using manifest::Kind;
using nlohmann::ordered_json;

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
    file.checked();  // no YAML is the better reason
    throw Error(fmt::format("{} holds no WasmPlugin and no TrafficExtension", file.name()));
}

struct ConvertResult {
    std::string file;
    Kind kind;
    manifest::Converted converted;
    bool written = false;
    std::optional<std::string> diff;  // of a dry run
};

// The manifest; nothing once it stands in the file.
std::string to_text(const ConvertResult& result) {
    return result.diff ? *result.diff : result.written ? "" : result.converted.text;
}

ordered_json to_json(const ConvertResult& result) {
    ordered_json json{{"version", 1},
                      {"file", result.file},
                      {"kind", to_string(result.kind)},
                      {"converted", result.converted.count},
                      {"written", result.written},
                      {"notes", result.converted.notes},
                      {"text", result.converted.text}};
    if (result.diff) {
        json["diff"] = *result.diff;
    }
    return json;
}

void write_back(const std::string& path, const yaml::File& file, const std::string& text) {
    LockedFile locked(path);
    if (locked.text() != file.text()) {
        throw Error(fmt::format("{} changed while it was read", path), "try again",
                    ExitCode::changed);
    }
    locked.replace(text);
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
    ConvertResult result{.file = file.name(),
                         .kind = to,
                         .converted = manifest::convert(file, to),
                         .written = false,
                         .diff = {}};
    const auto& converted = result.converted;
    for (const auto& note : converted.notes) {
        services.out.note(note);
    }
    if (options.dry_run) {
        result.diff = unified_diff(file.text(), converted.text, file.name(), file.name());
    } else if (options.write && converted.count > 0) {
        write_back(options.file, file, converted.text);
        result.written = true;
        services.out.note(fmt::format("{}: {} converted", options.file, converted.count));
    }
    // The manifest itself is the YAML.
    if (services.out.format() == Format::yaml && !result.diff && !result.written) {
        services.out.print(converted.text);
    } else {
        services.out.show(result);
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
