#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/git.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "commands/command.hpp"
#include "manifest/difference.hpp"
#include "manifest/objects.hpp"
#include "release/files.hpp"
#include "release/history.hpp"

namespace wasmplug {
namespace {

using manifest::Object;
using nlohmann::ordered_json;

struct DiffOptions {
    std::string file;
    std::string other;
    std::string name;
    unsigned revision = 0;
    std::string git_revision;
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

std::vector<Object> ours_in(const yaml::File& file, const std::string& name) {
    file.checked();
    auto objects = manifest::objects_in(file);
    std::erase_if(objects, [&](const Object& object) {
        const bool wanted = name.empty() || name == object.name || name == full_name(object);
        return object.identity != manifest::Identity::ours || !wanted;
    });
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

// `name`, "NAME" or "NS/NAME", keeps all others out; "" keeps none.
DiffResult compare(const yaml::File& before, const yaml::File& after, const std::string& name) {
    DiffResult result{.before = before.name(), .after = after.name(), .documents = {}};
    const auto old_objects = ours_in(before, name);
    const auto new_objects = ours_in(after, name);
    if (!name.empty() && old_objects.empty() && new_objects.empty()) {
        throw Error(fmt::format("there is no {} in {} and {}", name, before.name(), after.name()));
    }
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

ordered_json config_json(const std::optional<std::string>& text) {
    if (!text) {
        return nullptr;
    }
    const auto file = yaml::File::parse("x:" + *text, "the recorded configuration");
    const auto* value = file.checked().single().find("x");
    return value == nullptr ? ordered_json() : yaml::to_json(*value);
}

// What moves with a version, at the paths where this target has it.
void add_content(ordered_json& into, const release::Located& located,
                 const release::Content& content, const ordered_json& config) {
    using release::Role;
    const std::pair<Role, ordered_json> all[] = {
        {Role::url, content.url}, {Role::sha256, content.sha256}, {Role::config, config}};
    for (const auto& [role, value] : all) {
        const auto* site = located.site(role);
        if (site == nullptr || value.is_null() || value == "") {
            continue;
        }
        ordered_json* at = &into;
        for (const auto& step : site->path.steps()) {
            at = &(*at)[step.is_index ? std::to_string(step.index) : step.key];
        }
        *at = value;
    }
}

// A revision of the history against what the file holds now.
DiffResult compare_with_revision(const DiffOptions& options, Services& services) {
    const auto targets = release::open_targets(
        {.kind = Target::Kind::file, .path = options.file, .resource = {}, .name = {}},
        {.name = options.name, .values_path = {}, .image = {}}, services.cancel);
    const auto& located = targets.front().targets.front();
    const auto history = release::history_of(located, release::HistorySource::automatic, services);
    const auto row =
        std::ranges::find(history.rows, options.revision, &release::HistoryRow::revision);
    if (row == history.rows.end()) {
        throw Error(fmt::format("{}: unable to find revision {} in the history of {}", options.file,
                                options.revision, located.title()),
                    fmt::format("'wasmplug history {}' lists what there is", options.file));
    }
    const auto now = release::state_of(located);
    ordered_json before = ordered_json::object();
    ordered_json after = ordered_json::object();
    const bool kept = row->content.config_hash.empty() || row->config;
    const auto* config = located.site(release::Role::config);
    const auto config_now = config == nullptr || config->value == nullptr
                                ? ordered_json()
                                : yaml::to_json(*config->value);
    const bool same = row->content.config_hash == now.content.config_hash;
    if (!kept && !same) {
        services.out.warn(fmt::format("the configuration of revision {} was too long to be "
                                      "recorded; it is another one",
                                      options.revision),
                          "--git-revision compares with a commit");
    }
    add_content(before, located, row->content,
                same || !kept ? config_now : config_json(row->config));
    add_content(after, located, now.content, config_now);
    DiffResult result{.before = fmt::format("{}@{}", options.file, options.revision),
                      .after = options.file,
                      .documents = {}};
    if (auto changes = manifest::differences(before, after); !changes.empty() || !same) {
        result.documents.push_back(
            {.kind = located.kind,
             .name = located.ns.empty() ? located.name : located.ns + "/" + located.name,
             .state = "changed",
             .changes = std::move(changes)});
    }
    return result;
}

yaml::File at_commit(const std::string& file, const std::string& revision, Services& services) {
    if (revision.starts_with('-')) {
        throw usage_error(fmt::format("{} is no git revision", revision));
    }
    const auto path = std::filesystem::weakly_canonical(file);  // git shows a link as its target
    const auto shown_file =
        run_git({.arguments = {"show", revision + ":./" + path.filename().string()},
                 .folder = path.parent_path()},
                services.spawn, services.cancel);
    if (shown_file.exit_code != 0) {
        throw Error(fmt::format("{} at {}: {}", file, revision, first_line(shown_file.err)));
    }
    return yaml::File::parse(shown_file.out, file + "@" + revision);
}

yaml::File read_side(const std::string& name) {
    return name == "-" ? yaml::File::parse(read_stdin(), "<stdin>") : yaml::File::read(name);
}

DiffResult compare(const DiffOptions& options, Services& services) {
    if (options.revision != 0) {
        return compare_with_revision(options, services);
    }
    if (options.file == "-" && (options.other.empty() || options.other == "-")) {
        throw usage_error("standard input has to be compared with a file",
                          "kubectl get wasmplugin NAME -o yaml | wasmplug diff - FILE");
    }
    const auto file = read_side(options.file);
    if (!options.other.empty()) {
        return compare(file, read_side(options.other), options.name);
    }
    const std::string commit = options.git_revision.empty() ? "HEAD" : options.git_revision;
    return compare(at_commit(options.file, commit, services), file, options.name);
}

ExitCode run_diff(const DiffOptions& options, Services& services) {
    if (!options.other.empty() + (options.revision != 0) + !options.git_revision.empty() > 1) {
        throw usage_error("give one of FILE2, --revision and --git-revision");
    }
    const auto result = compare(options, services);
    services.out.show(result);
    return result.documents.empty() ? ExitCode::ok : ExitCode::rejected;
}

void add_diff(CLI::App& command, Run& selected) {
    auto options = std::make_shared<DiffOptions>();
    command.add_option("FILE", options->file, "The manifest, or - for standard input")
        ->required()
        ->type_name("FILE");
    command.add_option("FILE2", options->other, "What to compare it with; else its last commit")
        ->type_name("FILE");
    command.add_option("--revision", options->revision, "A revision of its history, by number")
        ->type_name("N")
        ->check(CLI::Validator(CLI::PositiveNumber).description(""));
    command.add_option("--git-revision", options->git_revision, "FILE as this commit has it")
        ->type_name("REV");
    command.add_option("--name", options->name, "Which plugin, when there are several")
        ->type_name("NS/NAME");
    command.footer(
        "wasmplug diff staging/auth.yaml prod/auth.yaml\nwasmplug diff auth.yaml\n"
        "kubectl get wasmplugin auth -o yaml | wasmplug diff - auth.yaml\n"
        "wasmplug diff auth.yaml --revision 12");
    selects(command, selected, options, run_diff);
}

}  // namespace

extern const Command diff_command;
const Command diff_command = {.name = "diff",
                              .summary = "Show what differs between two manifests, field by field",
                              .group = Group::observe,
                              .add = add_diff};

}  // namespace wasmplug
