#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/diff.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/parallel.hpp"
#include "base/report.hpp"
#include "commands/command.hpp"
#include "commands/manifest_options.hpp"
#include "commands/registry_flags.hpp"
#include "commands/validate_judge.hpp"
#include "manifest/overlap.hpp"

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
    std::string schema;
    bool no_strict = false;
    bool summary = false;
    bool require_match = false;
    bool only_ours = false;
    bool online = false;
    std::vector<std::string> via;
    RegistryFlags registry;
    bool fix = false;
    bool dry_run = false;
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

std::string to_text(const manifest::Mended& mended, const Output::Style& style) {
    return fmt::format("{}:{}:{}: {}: {}: {} [{}]\n", mended.file, mended.finding.begin.line,
                       mended.finding.begin.column, paint("1;32", "mended", style.result_colour),
                       mended.finding.path, printable(mended.done), mended.finding.rule->id);
}

ordered_json to_json(const manifest::Mended& mended) {
    return {{"file", mended.file},
            {"index", mended.document},
            {"rule", mended.finding.rule->id},
            {"path", mended.finding.path},
            {"line", mended.finding.begin.line},
            {"column", mended.finding.begin.column},
            {"message", mended.finding.message},
            {"done", mended.done}};
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

    // Before the first document. With --dry-run the diff is all that goes to stdout as text.
    void add(const MendReport& report) {
        std::string diff;
        for (const auto& file : report.replacements) {
            const auto name = file.path.string();
            diff += options_.dry_run ? unified_diff(file.before, file.after, name, name) : "";
        }
        if (shape_ == Shape::text && options_.dry_run) {
            const bool colour = services_.out.style().result_colour;
            ready_ += colour ? colour_diff(diff) : diff;
        } else if (shape_ == Shape::text) {
            for (const auto& mended : report.mended) {
                ready_ += to_text(mended, services_.out.style());
            }
        }
        further_["mended"] = ordered_json::array();
        for (const auto& mended : report.mended) {
            further_["mended"].push_back(to_json(mended));
        }
        if (options_.dry_run) {
            further_["diff"] = diff;
        }
        mended_ = fmt::format("; {} {}", report.mended.size(),
                              options_.dry_run ? "would be mended" : "mended");
    }

    void add(const DocumentResult& document) {
        if (shape_ == Shape::text && options_.dry_run) {
            // The findings that are left only decide the exit code, and are counted on stderr.
        } else if (shape_ == Shape::text) {
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
        auto summary = summary_line(tally, options_.summary);
        summary.insert(summary.size() - 1, mended_);
        if (shape_ == Shape::text && options_.dry_run) {
            summary.pop_back();
            services_.out.note(summary);
        } else if (shape_ == Shape::text) {
            ready_ += summary;
        } else if (shape_ == Shape::json) {
            ready_ += any_ ? "\n  ],\n" : "{\n  \"version\": 1,\n  \"documents\": [],\n";
            for (const auto& [key, value] : further_.items()) {
                ready_ += fmt::format("  \"{}\": {},\n", key, indented(value, "  "));
            }
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
    ordered_json further_ = ordered_json::object();  // beside the documents
    std::string mended_;
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

// What needs the files before this one, in their order.
class Collector {
  public:
    Collector(const ValidateOptions& options, bool is_one_walk, Services& services)
        : is_one_walk_(is_one_walk),
          fail_on_(fail_level(options.fail_on)),
          services_(services),
          overlaps_(options.root_namespace),
          writer_(options, fail_on_, services) {}

    void add(const MendReport& report) {
        for (const auto& refused : report.refused) {
            services_.out.note("not mended: " + refused);
        }
        writer_.add(report);
    }

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
        for (auto& sentence : file.not_judged) {
            if (said_.insert(sentence).second) {
                services_.out.note(sentence);
            }
        }
        auto placement = file.placements.begin();
        for (std::size_t i = 0; i < file.documents.size(); ++i) {
            // Taken out: of a List of many, one at a time is there with all that is said of it.
            auto document = std::move(file.documents[i]);
            for (; placement != file.placements.end() && placement->document == i; ++placement) {
                overlaps_.check(*placement, document);
            }
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
    std::set<std::string> said_;
    bool any_unreadable_ = false;
};

void check(const ValidateOptions& options, const Services& services) {
    for (const auto& target : options.reports) {
        parse_report_target(target);  // a wrong one is said before the work
    }
    if (services.out.format() == Format::yaml && options.output.empty()) {
        throw usage_error("validate does not write yaml", "-o json has the same document");
    }
    release::parse_via(options.via);
    if (options.online && services.offline) {
        throw usage_error("--online and --offline: give one of them");
    }
    if (!options.online && !options.via.empty()) {
        throw usage_error("--via says where --online looks", "add --online");
    }
    const auto& registry = options.registry;
    if (!options.online &&
        (registry.plain_http || registry.insecure || !registry.ca_file.empty())) {
        throw usage_error("--plain-http, --insecure and --ca-file say how --online asks",
                          "add --online");
    }
    if (options.dry_run && !options.fix) {
        throw usage_error("--dry-run shows what --fix would do", "add --fix");
    }
}

// What comes before the first judgement: asking the registries, and mending.
void prepare(const ValidateOptions& options, Judgement& with, std::deque<Input>& inputs,
             Collector& collector, Services& services) {
    release::LookupSettings settings{.registry = registry_options(options.registry, services),
                                     .via = release::parse_via(options.via)};
    settings.registry.retry.attempts = 3;  // a registry that is down is a finding, not a wait
    const auto ask = [&] {
        look_up(inputs, with.settings, settings, services, with.artefacts);
        with.carried = carried_schemas(with.artefacts, services.out);
    };
    if (options.online) {
        ask();
    }
    if (!options.fix) {
        return;
    }
    for (const auto& input : inputs) {
        if (input.source.text && !options.dry_run) {
            throw usage_error("standard input cannot be written to",
                              "--fix --dry-run shows what would change");
        }
    }
    const auto report = mend_all(with, inputs, services);
    if (!options.dry_run) {
        release::write_files(report.replacements, services.cancel);
    }
    collector.add(report);
    if (options.online) {
        ask();  // mended urls
    }
}

ExitCode run_validate(const ValidateOptions& options, Services& services) {
    check(options, services);
    Judgement with{.settings = settings_for(options),
                   .artefacts = {},
                   .carried = {},
                   .schema = {},
                   .only_ours = options.only_ours};
    if (!options.schema.empty()) {
        with.schema.emplace(manifest::read_config_schema(options.schema));
    }
    manifest::Policies policies(options.policy);
    manifest::ConfigSchemas schemas;
    manifest::Sources sources(options.sources, services.spawn, services.cancel);
    Collector collector(options, sources.is_one_walk(), services);
    bool bad_schema = false;
    const auto next_file = [&]() -> std::optional<Input> {
        auto source = sources.next();
        if (!source) {
            return std::nullopt;
        }
        Input input{.source = std::move(*source)};
        input.policy = policies.of(input.source.name);
        try {
            input.schema = with.schema ? manifest::SchemaInForce() : schemas.of(input.source.name);
        } catch (const Error& error) {
            services.out.error(error);  // once for its project; the manifests are judged without
            bad_schema = true;
        }
        return input;
    };
    std::deque<Input> inputs;  // when all have to be looked at before the first is judged
    if (options.online || options.fix) {
        while (auto input = next_file()) {
            inputs.push_back(std::move(*input));
        }
        prepare(options, with, inputs, collector, services);
    }
    const auto next = [&]() -> std::optional<Input> {
        if (inputs.empty()) {
            return next_file();
        }
        auto input = std::move(inputs.front());
        inputs.pop_front();
        return input;
    };
    stream_in_order(
        next, [&](const Input& input) { return judge_source(input, with); },
        [&](FileResult file) { collector.add(std::move(file)); }, services.cancel);
    const auto& tally = collector.finish();
    if (collector.any_unreadable() || bad_schema) {
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
    add_policy_flags(command, options->policy);
    command
        .add_option("--schema", options->schema,
                    "JSON Schema of pluginConfig; else the image's with --online, else "
                    "config.schema.json of the plugin's project")
        ->type_name("FILE");
    command.add_option("--root-namespace", options->root_namespace, "The mesh's root namespace")
        ->type_name("NAME");
    command.add_flag("--fix", options->fix, "Mend what has one right answer, in the files");
    add_dry_run(command, options->dry_run);
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
        "wasmplug validate --fix --dry-run deploy/\n"
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
