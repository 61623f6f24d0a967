#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "commands/command.hpp"
#include "manifest/difference.hpp"
#include "manifest/objects.hpp"

namespace wasmplug {
namespace {

using manifest::Object;
using nlohmann::ordered_json;

struct DiffOptions {
    std::string file;
    std::string other;
    std::string revision;
};

struct DocumentDiff {
    std::string kind;
    std::string name;
    std::string state;  // "changed", "added", "removed"
    std::vector<manifest::Change> changes;
};

struct DiffResult {
    std::string before;
    std::string after;
    std::vector<DocumentDiff> documents;
};

std::string shown(const ordered_json& value) {
    return value.is_null() ? "(not set)" : compact_json(value);
}

std::string to_text(const DiffResult& result, const Output::Style& style) {
    std::string text;
    for (const auto& document : result.documents) {
        text += fmt::format("{} {} {}\n", document.kind, document.name, document.state);
        for (const auto& change : document.changes) {
            text += fmt::format("  {}\n", change.path);
            if (!change.before.is_null()) {
                text += paint("31", "    - " + shown(change.before), style.result_colour) + "\n";
            }
            if (!change.after.is_null()) {
                text += paint("32", "    + " + shown(change.after), style.result_colour) + "\n";
            }
        }
    }
    return text;
}

ordered_json to_json(const DiffResult& result) {
    auto documents = ordered_json::array();
    for (const auto& document : result.documents) {
        auto changes = ordered_json::array();
        for (const auto& change : document.changes) {
            changes.push_back(
                {{"path", change.path}, {"from", change.before}, {"to", change.after}});
        }
        documents.push_back({{"kind", document.kind},
                             {"name", document.name},
                             {"state", document.state},
                             {"changes", std::move(changes)}});
    }
    return {{"version", 1},
            {"from", result.before},
            {"to", result.after},
            {"documents", std::move(documents)}};
}

std::vector<Object> ours_in(const yaml::File& file) {
    file.checked();
    auto objects = manifest::objects_in(file);
    std::erase_if(objects,
                  [](const Object& object) { return object.identity != manifest::Identity::ours; });
    return objects;
}

// The same object on the other side: by name and namespace, then by name (environments differ in
// the namespace), then the only one there is.
const Object* counterpart(const Object& object, const std::vector<Object>& among, bool only) {
    for (const bool with_namespace : {true, false}) {
        for (const auto& other : among) {
            if (other.name == object.name && (!with_namespace || other.ns == object.ns)) {
                return &other;
            }
        }
    }
    return only && among.size() == 1 ? &among.front() : nullptr;
}

DiffResult compare(const yaml::File& before, const yaml::File& after) {
    DiffResult result{.before = before.name(), .after = after.name(), .documents = {}};
    const auto old_objects = ours_in(before);
    const auto new_objects = ours_in(after);
    const bool only = old_objects.size() == 1 && new_objects.size() == 1;
    const auto add = [&](const Object& object, const char* state,
                         std::vector<manifest::Change> changes) {
        result.documents.push_back({.kind = std::string(object.kind_name),
                                    .name = full_name(object),
                                    .state = state,
                                    .changes = std::move(changes)});
    };
    for (const auto& object : old_objects) {
        const auto* other = counterpart(object, new_objects, only);
        if (other == nullptr) {
            add(object, "removed", {});
            continue;
        }
        auto changes =
            manifest::differences(yaml::to_json(*object.root), yaml::to_json(*other->root));
        if (!changes.empty()) {
            add(object, "changed", std::move(changes));
        }
    }
    for (const auto& object : new_objects) {
        if (counterpart(object, old_objects, only) == nullptr) {
            add(object, "added", {});
        }
    }
    return result;
}

yaml::File at_revision(const std::string& file, const std::string& revision, Services& services) {
    if (revision.starts_with('-')) {
        throw usage_error(fmt::format("{} is not a revision", revision));
    }
    const std::filesystem::path path(file);
    ProcessSpec spec;
    spec.argv = {"git", "show", revision + ":./" + path.filename().string()};
    spec.directory = path.parent_path();
    const auto shown_file = services.spawn(spec, services.cancel);
    if (shown_file.exit_code != 0) {
        throw Error(fmt::format("{} at {}: {}", file, revision,
                                shown_file.err.substr(0, shown_file.err.find('\n'))));
    }
    return yaml::File::parse(shown_file.out, file + "@" + revision);
}

ExitCode run_diff(const DiffOptions& options, Services& services) {
    if (!options.other.empty() && !options.revision.empty()) {
        throw usage_error("FILE2 and --revision cannot be given together");
    }
    const auto file = yaml::File::read(options.file);
    const auto revision = options.revision.empty() ? "HEAD" : options.revision;
    const auto result = options.other.empty()
                            ? compare(at_revision(options.file, revision, services), file)
                            : compare(file, yaml::File::read(options.other));
    services.out.show(result);
    return result.documents.empty() ? ExitCode::ok : ExitCode::rejected;
}

void add_diff(CLI::App& command, Run& selected) {
    auto options = std::make_shared<DiffOptions>();
    command.add_option("FILE", options->file, "The manifest")->required()->type_name("FILE");
    command.add_option("FILE2", options->other, "What to compare it with; else its git revision")
        ->type_name("FILE");
    command
        .add_option("--revision", options->revision, "A git revision of FILE; HEAD is the default")
        ->type_name("REV");
    command.footer("wasmplug diff staging/auth.yaml prod/auth.yaml\nwasmplug diff auth.yaml");
    selects(command, selected, options, run_diff);
}

}  // namespace

extern const Command diff_command;
const Command diff_command = {.name = "diff",
                              .summary = "Show what differs between two manifests, field by field",
                              .group = Group::observe,
                              .add = add_diff};

}  // namespace wasmplug
