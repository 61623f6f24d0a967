#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <map>

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

struct ValidateResult {
    std::vector<DocumentResult> documents;
    std::size_t files = 0;
    bool kubeconform_summary = false;
    Output::Style style;
};

struct Counts {
    std::size_t ok = 0;
    std::size_t warning = 0;
    std::size_t error = 0;
    std::size_t skipped = 0;
};

Counts count(const ValidateResult& result) {
    Counts counts;
    for (const auto& document : result.documents) {
        switch (document.verdict()) {
            case Verdict::ok:
                ++counts.ok;
                break;
            case Verdict::warning:
                ++counts.warning;
                break;
            case Verdict::error:
                ++counts.error;
                break;
            case Verdict::skipped:
                ++counts.skipped;
                break;
        }
    }
    return counts;
}

std::string plural(std::size_t number, std::string_view what) {
    return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

std::string summary_line(const ValidateResult& result) {
    const auto counts = count(result);
    if (result.kubeconform_summary) {
        // kubeconform's own line, which scripts read.
        return fmt::format(
            "Summary: {} resource{} found in {} file{} - Valid: {}, Invalid: {}, Errors: {}, "
            "Skipped: {}\n",
            result.documents.size(), result.documents.size() == 1 ? "" : "s", result.files,
            result.files == 1 ? "" : "s", counts.ok + counts.warning, counts.error, 0,
            counts.skipped);
    }
    auto text = fmt::format("{} in {}: {} ok",
                            plural(counts.ok + counts.warning + counts.error, "document"),
                            plural(result.files, "file"), counts.ok);
    if (counts.warning > 0) {
        text += ", " + plural(counts.warning, "warning");
    }
    if (counts.error > 0) {
        text += fmt::format(", {} refused", counts.error);
    }
    if (counts.skipped > 0) {
        text += fmt::format(", {} of other kinds skipped", counts.skipped);
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

std::string to_text(const ValidateResult& result, const Output::Style& style) {
    std::string text;
    for (const auto& document : result.documents) {
        const auto& findings = document.findings;
        for (std::size_t i = 0; i < findings.size(); ++i) {
            if (style.quiet && findings[i].level == Level::hint) {
                continue;
            }
            const bool again = std::any_of(
                findings.begin(), findings.begin() + static_cast<std::ptrdiff_t>(i),
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
            text +=
                fmt::format("{}:{}: {}{}: {}\n", document.file, document.line, document.kind, name,
                            document.skipped.empty() ? "ok" : "skipped: " + document.skipped);
        }
    }
    return text + summary_line(result);
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

ordered_json to_json(const ValidateResult& result) {
    auto documents = ordered_json::array();
    for (const auto& document : result.documents) {
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
        for (const auto layer :
             {Layer::api_server, Layer::strict, Layer::webhook, Layer::runtime}) {
            json["layers"][std::string(to_string(layer))] = to_string(document.verdict(layer));
        }
        json["findings"] = std::move(findings);
        documents.push_back(std::move(json));
    }
    const auto counts = count(result);
    return {{"version", 1},
            {"documents", std::move(documents)},
            {"summary",
             {{"files", result.files},
              {"documents", result.documents.size()},
              {"ok", counts.ok},
              {"warning", counts.warning},
              {"error", counts.error},
              {"skipped", counts.skipped}}}};
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

struct FileResult {
    std::vector<DocumentResult> documents;
    std::vector<manifest::Placement> placements;  // Placement::document counts in this file
};

// What all files are judged with.
struct Judgement {
    manifest::ValidateSettings settings;
    release::Artefacts artefacts;
    bool only_ours = false;
};

FileResult validate_source(const manifest::Source& source, const Judgement& with,
                           const manifest::Policy* policy) {
    auto settings = with.settings;
    settings.only_ours = with.only_ours || source.found;
    std::vector<manifest::ObjectRule> further;
    if (!with.artefacts.empty()) {
        further.emplace_back([&](const manifest::Object& object, manifest::Findings& findings) {
            const auto facts = with.artefacts.find(manifest::artefact_of(object).url);
            if (facts != with.artefacts.end()) {
                manifest::check_artefact(object, facts->second, findings);
            }
        });
    }
    if (policy != nullptr) {
        further.emplace_back(
            [policy](const manifest::Object& object, manifest::Findings& findings) {
                manifest::check_policy(object, *policy, findings);
            });
    }
    FileResult result;
    for (auto& checked : manifest::validate(manifest::parse_source(source), settings, further)) {
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
                           const std::vector<manifest::Source>& sources, Services& services) {
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

ValidateResult validate_all(const ValidateOptions& options, Services& services) {
    Judgement with{
        .settings = settings_for(options), .artefacts = {}, .only_ours = options.only_ours};
    const auto sources =
        manifest::collect_sources(options.sources, services.spawn, services.cancel);
    std::vector<std::string> names;
    for (const auto& source : sources) {
        names.push_back(source.name);
    }
    const manifest::Policies policies(options.policy, names);
    if (options.online) {
        with.artefacts = look_up(options, with.settings, sources, services);
    }
    std::atomic<std::size_t> done = 0;
    auto files = parallel(
        sources.size(),
        [&](std::size_t i) {
            auto result = validate_source(sources[i], with, policies.of(sources[i].name));
            if (const auto count = ++done; count % 1000 == 0) {
                services.out.progress(fmt::format("{} of {} files", count, sources.size()));
            }
            return result;
        },
        services.cancel);
    services.out.progress("");
    ValidateResult result{.documents = {},
                          .files = sources.size(),
                          .kubeconform_summary = options.summary,
                          .style = services.out.style()};
    std::vector<manifest::Placement> placements;
    for (auto& file : files) {
        for (auto& placement : file.placements) {
            placement.document += result.documents.size();
            placements.push_back(std::move(placement));
        }
        std::move(file.documents.begin(), file.documents.end(),
                  std::back_inserter(result.documents));
    }
    manifest::check_overlap(placements, options.root_namespace, result.documents);
    for (auto& document : result.documents) {
        if (const auto* policy = policies.of(document.file)) {
            manifest::apply_levels(*policy, document.findings);
        }
        manifest::finish(document);
    }
    return result;
}

Level fail_level(const std::string& name) {
    return name == "hint" ? Level::hint : name == "warning" ? Level::warning : Level::error;
}

Report report_of(const ValidateResult& result, Level fail_on) {
    Report report{.tool_version = WASMPLUG_VERSION, .rules = manifest::report_rules(), .cases = {}};
    for (const auto& document : result.documents) {
        if (auto item = manifest::report_case(document, fail_on)) {
            report.cases.push_back(std::move(*item));
        }
    }
    return report;
}

void write_reports(const ValidateResult& result, const ValidateOptions& options, Level fail_on,
                   Services& services) {
    for (const auto& target : options.reports) {
        const auto [format, file] = parse_report_target(target);
        write_file(file, write_report(format, report_of(result, fail_on)));
    }
    const auto github_page = services.environment("GITHUB_STEP_SUMMARY");
    if (options.output == "github" && github_page && !github_page->empty()) {
        auto text = read_file_if_there(*github_page).value_or("");
        write_file(*github_page, text + github_summary(report_of(result, fail_on)));
    }
    const bool plain = options.output.empty() || options.output == "text";
    if (plain && services.out.format() == Format::text) {
        services.out.show(result);
    } else if (plain || options.output == "json") {
        services.out.print(pretty_json(to_json(result)));
    } else {
        services.out.print(
            write_report(parse_report_format(options.output), report_of(result, fail_on)));
    }
}

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
    const auto result = validate_all(options, services);
    const auto fail_on = fail_level(options.fail_on);
    write_reports(result, options, fail_on, services);
    const bool judged =
        std::any_of(result.documents.begin(), result.documents.end(),
                    [](const DocumentResult& document) { return document.skipped.empty(); });
    if (options.require_match && !judged) {
        throw Error("no WasmPlugin or TrafficExtension found", "", ExitCode::rejected);
    }
    const bool failed = options.fail_on != "never" &&
                        std::any_of(result.documents.begin(), result.documents.end(),
                                    [&](const DocumentResult& document) {
                                        const auto item = manifest::report_case(document, fail_on);
                                        return item && item->outcome == ReportCase::Outcome::failed;
                                    });
    return failed ? ExitCode::rejected : ExitCode::ok;
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
