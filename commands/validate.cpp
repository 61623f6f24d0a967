#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/json.hpp"
#include "base/parallel.hpp"
#include "base/report.hpp"
#include "commands/command.hpp"
#include "commands/manifest_options.hpp"
#include "commands/registry_flags.hpp"
#include "manifest/artefact.hpp"
#include "manifest/metrics_check.hpp"
#include "manifest/overlap.hpp"
#include "manifest/policy.hpp"
#include "manifest/result.hpp"
#include "manifest/sources.hpp"
#include "release/preflight.hpp"

namespace wasmplug {
namespace {

using manifest::Diagnostic;
using manifest::DocumentResult;
using manifest::Layer;
using manifest::Verdict;
using nlohmann::ordered_json;

struct ValidateOptions {
    manifest::SourceOptions sources;
    std::vector<std::string> hosts;
    std::string output;
    std::vector<std::string> reports;
    std::string fail_on = "error";
    std::string root_namespace = "istio-system";
    manifest::PolicyChoice policy;
    bool no_strict = false;
    bool summary = false;
    bool require_match = false;
    bool only_ours = false;
    bool online = false;
    std::vector<std::string> via;
    RegistryFlags registry;
};

// What is left of the documents once they are printed.
struct Tally {
    std::size_t files = 0;
    std::size_t documents = 0;
    std::size_t ok = 0;
    std::size_t warning = 0;
    std::size_t error = 0;
    std::size_t skipped = 0;
    bool failed = false;  // a finding at or above --fail-on

    void add(const DocumentResult& document, Level fail_on) {
        ++documents;
        switch (document.verdict()) {
            case Verdict::ok:
                ++ok;
                break;
            case Verdict::warning:
                ++warning;
                break;
            case Verdict::error:
                ++error;
                break;
            case Verdict::skipped:
                ++skipped;
                return;
        }
        failed = failed ||
                 std::any_of(document.findings.begin(), document.findings.end(),
                             [&](const Diagnostic& finding) { return finding.level >= fail_on; });
    }
};

std::string plural(std::size_t number, std::string_view what) {
    return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

std::string summary_line(const Tally& tally, bool as_kubeconform) {
    if (as_kubeconform) {
        // kubeconform's own line, which scripts read.
        return fmt::format(
            "Summary: {} resource{} found in {} file{} - Valid: {}, Invalid: {}, Errors: {}, "
            "Skipped: {}\n",
            tally.documents, tally.documents == 1 ? "" : "s", tally.files,
            tally.files == 1 ? "" : "s", tally.ok + tally.warning, tally.error, 0, tally.skipped);
    }
    auto text =
        fmt::format("{} in {}: {} ok", plural(tally.ok + tally.warning + tally.error, "document"),
                    plural(tally.files, "file"), tally.ok);
    if (tally.warning > 0) {
        text += ", " + plural(tally.warning, "warning");
    }
    if (tally.error > 0) {
        text += fmt::format(", {} refused", tally.error);
    }
    if (tally.skipped > 0) {
        text += fmt::format(", {} of other kinds skipped", tally.skipped);
    }
    return text + "\n";
}

std::string show(const Diagnostic& finding, const std::string& file, const Output::Style& style) {
    const auto* colour = finding.level == Level::error     ? "1;31"
                         : finding.level == Level::warning ? "1;33"
                                                           : "1;36";
    auto text = fmt::format(
        "{}:{}:{}: {}: {} [{} {}]\n{}", file, finding.begin.line, finding.begin.column,
        paint(colour, to_string(finding.level), style.result_colour), printable(finding.message),
        finding.rule->id, manifest::name_of(finding.layer), finding.excerpt);
    if (!finding.fix.empty()) {
        text += "  fix: " + printable(finding.fix) + "\n";
    }
    return text;
}

// What a second layer says of the same place in other words.
bool repeats(const Diagnostic& a, const Diagnostic& b) {
    return a.rule == b.rule && a.begin == b.begin && a.level == b.level && a.layer != b.layer;
}

std::string to_text(const DocumentResult& document, const Output::Style& style) {
    std::string text;
    const auto& findings = document.findings;
    for (std::size_t i = 0; i < findings.size(); ++i) {
        if (style.quiet && findings[i].level == Level::hint) {
            continue;
        }
        const bool again =
            std::any_of(findings.begin(), findings.begin() + static_cast<std::ptrdiff_t>(i),
                        [&](const Diagnostic& earlier) { return repeats(earlier, findings[i]); });
        if (again) {
            continue;
        }
        text += show(findings[i], document.file, style);
        for (std::size_t j = i + 1; j < findings.size(); ++j) {
            if (repeats(findings[i], findings[j])) {
                text += fmt::format("  {} too: {}\n", manifest::name_of(findings[j].layer),
                                    printable(findings[j].message));
            }
        }
    }
    if (style.verbosity > 0 && findings.empty()) {
        const auto name = document.name.empty() ? "" : " " + document.name;
        text += fmt::format("{}:{}: {}{}: {}\n", document.file, document.line, document.kind, name,
                            document.skipped.empty() ? "ok" : "skipped: " + document.skipped);
    }
    return text;
}

ordered_json to_json(const Diagnostic& finding) {
    ordered_json json = {
        {"rule", finding.rule->id},          {"severity", to_string(finding.level)},
        {"layer", to_string(finding.layer)}, {"path", finding.path},
        {"line", finding.begin.line},        {"column", finding.begin.column},
        {"endLine", finding.end.line},       {"endColumn", finding.end.column},
        {"message", finding.message}};
    json["fix"] = finding.fix;
    return json;
}

ordered_json to_json(const DocumentResult& document) {
    auto findings = ordered_json::array();
    for (const auto& finding : document.findings) {
        findings.push_back(to_json(finding));
    }
    ordered_json json = {{"file", document.file}, {"index", document.index},
                         {"line", document.line}, {"apiVersion", document.api_version},
                         {"kind", document.kind}, {"namespace", document.ns},
                         {"name", document.name}, {"verdict", to_string(document.verdict())}};
    if (document.item) {
        json["item"] = *document.item;
    }
    if (!document.skipped.empty()) {
        json["reason"] = document.skipped;
    }
    for (const auto layer : {Layer::api_server, Layer::strict, Layer::webhook, Layer::runtime}) {
        json["layers"][std::string(to_string(layer))] = to_string(document.verdict(layer));
    }
    json["findings"] = std::move(findings);
    return json;
}

ordered_json to_json(const Tally& tally) {
    return {{"files", tally.files},     {"documents", tally.documents}, {"ok", tally.ok},
            {"warning", tally.warning}, {"error", tally.error},         {"skipped", tally.skipped}};
}

// What goes to stdout and into reports. Text and JSON leave while the documents come by; the
// other formats begin with their counts or rules, so that their cases are kept to the end.
class Writer {
  public:
    Writer(const ValidateOptions& options, Level fail_on, Services& services)
        : options_(options), fail_on_(fail_on), services_(services) {
        const bool plain = options.output.empty() || options.output == "text";
        shape_ = plain && services.out.format() == Format::text ? Shape::text
                 : plain || options.output == "json"            ? Shape::json
                                                                : Shape::report;
        report_.tool_version = WASMPLUG_VERSION;
        report_.rules = manifest::report_rules();
    }

    void add(const DocumentResult& document) {
        if (shape_ == Shape::text) {
            ready_ += to_text(document, services_.out.style());
        } else if (shape_ == Shape::json) {
            ready_ += any_ ? ",\n    " : "{\n  \"version\": 1,\n  \"documents\": [\n    ";
            ready_ += indented(to_json(document), "    ");
        }
        any_ = true;
        if (shape_ == Shape::report || !options_.reports.empty()) {
            if (auto item = manifest::report_case(document, fail_on_)) {
                report_.cases.push_back(std::move(*item));
            }
        }
        if (ready_.size() > 64 * 1024) {
            const auto lines = ready_.rfind('\n') + 1;  // print() would end a line that goes on
            services_.out.print(std::string_view(ready_).substr(0, lines));
            ready_.erase(0, lines);
        }
    }

    void finish(const Tally& tally) {
        if (shape_ == Shape::text) {
            ready_ += summary_line(tally, options_.summary);
        } else if (shape_ == Shape::json) {
            ready_ += any_ ? "\n  ],\n" : "{\n  \"version\": 1,\n  \"documents\": [],\n";
            ready_ += "  \"summary\": " + indented(to_json(tally), "  ") + "\n}\n";
        }
        write_reports();
        services_.out.print(shape_ == Shape::report
                                ? write_report(parse_report_format(options_.output), report_)
                                : ready_);
    }

  private:
    enum class Shape { text, json, report };

    static std::string indented(const ordered_json& value, std::string_view margin) {
        std::string text;
        auto lines = pretty_json(value);
        lines.pop_back();  // the last line break
        for (const char c : lines) {
            text += c;
            if (c == '\n') {
                text += margin;
            }
        }
        return text;
    }

    void write_reports() const {
        for (const auto& target : options_.reports) {
            const auto [format, file] = parse_report_target(target);
            write_file(file, write_report(format, report_));
        }
        const auto page = services_.environment("GITHUB_STEP_SUMMARY");
        if (options_.output == "github" && page && !page->empty()) {
            write_file(*page, read_file_if_there(*page).value_or("") + github_summary(report_));
        }
    }

    const ValidateOptions& options_;
    Level fail_on_;
    Services& services_;
    Shape shape_;
    Report report_;
    std::string ready_;
    bool any_ = false;
};

Level fail_level(const std::string& name) {
    return name == "hint" ? Level::hint : name == "warning" ? Level::warning : Level::error;
}

manifest::ValidateSettings settings_for(const ValidateOptions& options) {
    manifest::ValidateSettings settings;
    if (!options.hosts.empty()) {
        settings.releases.clear();
        for (const auto& host : options.hosts) {
            settings.releases.push_back(istio::release_for(host));
        }
    }
    settings.strict = !options.no_strict;
    settings.runtime.root_namespace = options.root_namespace;
    return settings;
}

struct Input {
    manifest::Source source;
    const manifest::Policy* policy;
};

struct FileResult {
    std::vector<DocumentResult> documents;
    std::vector<manifest::Placement> placements;  // Placement::document counts in this file
    std::optional<Error> unreadable;
    std::string name;
    const manifest::Policy* policy = nullptr;
};

// What all files are judged with.
struct Judgement {
    manifest::ValidateSettings settings;
    release::Artefacts artefacts;
    bool only_ours = false;
};

FileResult validate_source(const Input& input, const Judgement& with) {
    auto settings = with.settings;
    settings.only_ours = with.only_ours || input.source.found;
    std::vector<manifest::ObjectRule> further;
    if (!with.artefacts.empty()) {
        further.emplace_back([&](const manifest::Object& object, manifest::Findings& findings) {
            const auto facts = with.artefacts.find(manifest::artefact_of(object).url);
            if (facts != with.artefacts.end()) {
                manifest::check_artefact(object, facts->second, findings);
            }
        });
    }
    if (input.policy != nullptr) {
        further.emplace_back([&](const manifest::Object& object, manifest::Findings& findings) {
            manifest::check_policy(object, *input.policy, findings);
        });
    }
    FileResult result{.documents = {},
                      .placements = {},
                      .unreadable = {},
                      .name = input.source.name,
                      .policy = input.policy};
    yaml::File file;
    try {
        file = manifest::parse_source(input.source);
    } catch (const Error& error) {
        result.unreadable = error;  // the others are judged all the same
        return result;
    }
    for (auto& checked : manifest::validate(file, settings, further)) {
        if (checked.object.identity == manifest::Identity::ours) {
            result.placements.push_back(manifest::place(checked.object, result.documents.size()));
        }
        manifest::check_metrics(checked);
        result.documents.push_back(manifest::summarize(checked));
    }
    return result;
}

// The files are read once more for this: that is nothing beside the network.
release::Artefacts look_up(const ValidateOptions& options, const manifest::ValidateSettings& judged,
                           const std::deque<manifest::Source>& sources, Services& services) {
    std::map<std::string, oci::ArtefactQuery> queries;
    for (const auto& source : sources) {
        for (const auto& object : manifest::objects_in(manifest::parse_source(source))) {
            const auto wanted = object.identity == manifest::Identity::ours
                                    ? manifest::artefact_of(object)
                                    : manifest::ArtefactWanted{};
            if (wanted.url.empty()) {
                continue;
            }
            auto& query = queries[wanted.url];
            query.url = wanted.url;
            if (!wanted.expected.empty()) {
                query.expected.insert(wanted.expected);
            }
        }
    }
    std::vector<oci::ArtefactQuery> list;
    for (auto& [url, query] : queries) {
        for (const auto& release : judged.releases) {
            query.hosts.push_back(istio::to_string(release));
        }
        list.push_back(std::move(query));
    }
    release::LookupSettings settings{.registry = registry_options(options.registry, services),
                                     .via = release::parse_via(options.via)};
    settings.registry.retry.attempts = 3;  // a registry that is down is a finding, not a wait
    return release::look_up_all(list, settings, services);
}

// What needs the files before this one, in their order.
class Collector {
  public:
    Collector(const ValidateOptions& options, bool is_one_walk, Services& services)
        : is_one_walk_(is_one_walk),
          fail_on_(fail_level(options.fail_on)),
          services_(services),
          overlaps_(options.root_namespace),
          writer_(options, fail_on_, services) {}

    void add(FileResult file) {
        if (++tally_.files % 1000 == 0) {
            services_.out.progress(fmt::format("{} files", tally_.files));
        }
        if (file.unreadable) {
            services_.out.error(*file.unreadable);
            any_unreadable_ = true;
            return;
        }
        if (is_one_walk_) {
            overlaps_.leave_all_but(file.name.substr(0, file.name.rfind('/')));
        }
        for (const auto& placement : file.placements) {
            overlaps_.check(placement, file.documents[placement.document]);
        }
        for (auto& document : file.documents) {
            if (file.policy != nullptr) {
                manifest::apply_levels(*file.policy, document.findings);
            }
            manifest::finish(document);
            tally_.add(document, fail_on_);
            writer_.add(document);
        }
    }

    const Tally& finish() {
        services_.out.progress("");
        writer_.finish(tally_);
        return tally_;
    }

    bool any_unreadable() const { return any_unreadable_; }

  private:
    bool is_one_walk_;
    Level fail_on_;
    Services& services_;
    manifest::Overlaps overlaps_;
    Tally tally_;
    Writer writer_;
    bool any_unreadable_ = false;
};

ExitCode run_validate(const ValidateOptions& options, Services& services) {
    for (const auto& target : options.reports) {
        parse_report_target(target);  // a wrong one is said before the work
    }
    release::parse_via(options.via);
    if (options.online && services.offline) {
        throw usage_error("--online and --offline: give one of them");
    }
    if (!options.online && !options.via.empty()) {
        throw usage_error("--via says where --online looks", "add --online");
    }
    Judgement with{
        .settings = settings_for(options), .artefacts = {}, .only_ours = options.only_ours};
    manifest::Policies policies(options.policy);
    manifest::Sources sources(options.sources, services.spawn, services.cancel);
    std::deque<manifest::Source> read_already;
    if (options.online) {
        while (auto source = sources.next()) {
            read_already.push_back(std::move(*source));
        }
        with.artefacts = look_up(options, with.settings, read_already, services);
    }
    const auto next = [&]() -> std::optional<Input> {
        auto source = sources.next();
        if (!read_already.empty()) {
            source = std::move(read_already.front());
            read_already.pop_front();
        }
        if (!source) {
            return std::nullopt;
        }
        const auto* policy = policies.of(source->name);
        return Input{std::move(*source), policy};
    };
    Collector collector(options, sources.is_one_walk(), services);
    stream_in_order(
        next, [&](const Input& input) { return validate_source(input, with); },
        [&](FileResult file) { collector.add(std::move(file)); }, services.cancel);
    const auto& tally = collector.finish();
    if (collector.any_unreadable()) {
        return ExitCode::failure;
    }
    if (options.require_match && tally.documents == tally.skipped) {
        throw Error("no WasmPlugin or TrafficExtension found", "", ExitCode::rejected);
    }
    return tally.failed && options.fail_on != "never" ? ExitCode::rejected : ExitCode::ok;
}

void add_validate(CLI::App& command, Run& selected) {
    auto options = std::make_shared<ValidateOptions>();
    add_sources(command, options->sources);
    command.add_option("--for", options->hosts, "Judge for this release; repeatable")
        ->type_name("HOST")
        ->allow_extra_args(false);
    choices(command.add_option("-o,--output", options->output, "Format of the result on stdout"),
            {"text", "json", "junit", "tap", "sarif", "github", "gitlab"});
    command
        .add_option("--report", options->reports,
                    "Write junit, tap, sarif, github or gitlab to a file; repeatable")
        ->type_name("FORMAT=FILE")
        ->allow_extra_args(false);
    choices(command.add_option("--fail-on", options->fail_on,
                               "Exit with 3 for findings of this severity and above"),
            {"error", "warning", "hint", "never"});
    command.add_flag("--no-strict", options->no_strict,
                     "Unknown fields and duplicate keys are warnings, as for lenient clients");
    command.add_flag("--summary", options->summary, "End with kubeconform's line of counts");
    command.add_flag("--require-match", options->require_match,
                     "Exit with 3 when there is nothing to judge");
    command.add_flag("--only-ours", options->only_ours,
                     "Pass over text that is no YAML, or no object, unless it names our kinds");
    command
        .add_option("--policy", options->policy.file,
                    "What the team wants; else .wasmplug/policy.yaml of the nearest folder")
        ->type_name("FILE");
    command.add_flag("--no-policy", options->policy.none, "Look for no policy");
    command.add_option("--root-namespace", options->root_namespace, "The mesh's root namespace")
        ->type_name("NAME");
    command.add_flag("--online", options->online,
                     "Ask the registries: digests, and whether the module loads");
    command
        .add_option("--via", options->via,
                    "With --online: the cluster's name of a registry is this one here; repeatable")
        ->type_name("HOST=HOST")
        ->allow_extra_args(false);
    add_registry_flags(command, options->registry, RegistryUse::several);
    command.footer(
        "wasmplug validate deploy/\n"
        "wasmplug validate --online --via reg.infra:5000=localhost:5000 deploy/\n"
        "wasmplug validate --for istio-1.26 --for istio-1.30 plugin.yaml\n"
        "helm template . | wasmplug validate --require-match -\n"
        "wasmplug validate --report sarif=wasmplug.sarif -o github .");
    selects(command, selected, options, run_validate);
}

}  // namespace

extern const Command validate_command;
const Command validate_command = {.name = "validate",
                                  .summary = "Say what the cluster will say of a manifest",
                                  .group = Group::declare,
                                  .add = add_validate};

}  // namespace wasmplug
