#include <fmt/format.h>

#include <deque>
#include <optional>
#include <set>
#include <utility>

#include <CLI/CLI.hpp>

#include "base/parallel.hpp"
#include "base/report.hpp"
#include "commands/command.hpp"
#include "commands/manifest_options.hpp"
#include "commands/registry_flags.hpp"
#include "commands/validate_judge.hpp"
#include "commands/validate_result.hpp"
#include "manifest/overlap.hpp"

namespace wasmplug {
namespace {

struct ValidateOptions {
    manifest::SourceOptions sources;
    std::vector<std::string> hosts;
    ResultChoice result;
    std::string fail_on = "error";
    std::string root_namespace = "istio-system";
    manifest::PolicyChoice policy;
    std::string schema;
    bool no_strict = false;
    bool require_match = false;
    bool only_ours = false;
    bool online = false;
    std::vector<std::string> via;
    RegistryFlags registry;
    bool fix = false;
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
          writer_(options.result, fail_on_, services) {}

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
            not_read(*file.unreadable);
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

    void not_read(const Error& error) {
        services_.out.error(error);
        ++tally_.unreadable;
    }

    const Tally& finish() {
        services_.out.progress("");
        writer_.finish(tally_);
        return tally_;
    }

  private:
    bool is_one_walk_;
    Level fail_on_;
    Services& services_;
    manifest::Overlaps overlaps_;
    Tally tally_;
    Writer writer_;
    std::set<std::string> said_;
};

void check(const ValidateOptions& options, const Services& services) {
    for (const auto& target : options.result.reports) {
        parse_report_target(target);  // a wrong one is said before the work
    }
    if (services.out.format() == Format::yaml && options.result.output.empty()) {
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
    if (options.result.dry_run && !options.fix) {
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
        add_carried(with.artefacts, with.carried, services.out);
    };
    if (options.online) {
        ask();
    }
    if (!options.fix) {
        return;
    }
    for (const auto& input : inputs) {
        if (input.source.text && !options.result.dry_run) {
            throw usage_error("standard input cannot be written to",
                              "--fix --dry-run shows what would change");
        }
    }
    const auto report = mend_all(with, inputs, services);
    if (!options.result.dry_run) {
        release::write_files(report.replacements, services.cancel);
    }
    collector.add(report);
    if (options.online) {
        ask();  // mended urls
    }
}

// The files in their order, each with the policy and the schema in force there. What cannot be
// read on the way is said once and left out.
class Inputs {
  public:
    Inputs(const ValidateOptions& options, Services& services)
        : has_schema_(!options.schema.empty()),
          services_(services),
          policies_(options.policy),
          sources_(options.sources, services.spawn, services.cancel) {}

    // nullopt after the last.
    std::optional<Input> next() {
        if (!ahead_.empty()) {
            auto input = std::move(ahead_.front());
            ahead_.pop_front();
            return input;
        }
        return read_next();
    }

    // All of them, for what has to see them before the first is judged; next() gives them again.
    std::deque<Input>& read_all() {
        while (auto input = read_next()) {
            ahead_.push_back(std::move(*input));
        }
        return ahead_;
    }

    bool is_one_walk() const { return sources_.is_one_walk(); }

    bool missed_any() const { return missed_any_; }

  private:
    std::optional<manifest::Source> next_source() {
        for (;;) {
            try {
                return sources_.next();
            } catch (const Error& error) {
                services_.cancel.check();
                say(error);  // a folder; the walk goes on behind it
            }
        }
    }

    std::optional<Input> read_next() {
        auto source = next_source();
        if (!source) {
            return std::nullopt;
        }
        Input input{.source = std::move(*source)};
        input.policy = policies_.of(input.source.name);
        try {
            input.schema = has_schema_ ? manifest::SchemaInForce() : schemas_.of(input.source.name);
        } catch (const Error& error) {
            say(error);  // once for its project; the manifests are judged without
        }
        return input;
    }

    void say(const Error& error) {
        services_.out.error(error);
        missed_any_ = true;
    }

    bool has_schema_;  // one for all, by --schema
    Services& services_;
    manifest::Policies policies_;
    manifest::ConfigSchemas schemas_;
    manifest::Sources sources_;
    std::deque<Input> ahead_;
    bool missed_any_ = false;
};

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
    Inputs inputs(options, services);
    Collector collector(options, inputs.is_one_walk(), services);
    if (options.online || options.fix) {
        prepare(options, with, inputs.read_all(), collector, services);
    }
    stream_in_order([&] { return inputs.next(); },
                    [&](const Input& input) { return judge_source(input, with); },
                    [&](FileResult file) { collector.add(std::move(file)); }, services.cancel);
    const auto& tally = collector.finish();
    if (tally.unreadable > 0 || inputs.missed_any()) {
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
    choices(
        command.add_option("-o,--output", options->result.output, "Format of the result on stdout"),
        {"text", "json", "junit", "tap", "sarif", "github", "gitlab"});
    command
        .add_option("--report", options->result.reports,
                    "Write junit, tap, sarif, github or gitlab to a file; repeatable")
        ->type_name("FORMAT=FILE")
        ->allow_extra_args(false);
    choices(command.add_option("--fail-on", options->fail_on,
                               "Exit with 3 for findings of this severity and above"),
            {"error", "warning", "hint", "never"});
    command.add_flag("--no-strict", options->no_strict,
                     "Unknown fields and duplicate keys are warnings, as for lenient clients");
    command.add_flag("--summary", options->result.summary, "End with kubeconform's line of counts");
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
    add_dry_run(command, options->result.dry_run);
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
