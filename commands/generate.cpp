#include "manifest/generate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/image_reference.hpp"
#include "base/json.hpp"
#include "base/yaml.hpp"
#include "base/yaml_write.hpp"
#include "commands/command.hpp"
#include "commands/plugin_chain.hpp"
#include "commands/plugin_counters.hpp"
#include "commands/registry_flags.hpp"
#include "release/artefact.hpp"

namespace wasmplug {
namespace {

using manifest::Draft;
using nlohmann::ordered_json;

constexpr std::uint16_t default_port = 10000;

struct GenerateOptions {
    std::string kind;
    std::vector<std::string> subjects;  // REF, or for envoy what ChainOptions takes
    std::string reference;
    std::string name;
    std::string sha256;
    std::string host = "istio-1.31";
    std::string phase;
    std::string priority;
    std::string fail_strategy;
    std::string pull_policy;
    std::string pull_secret;
    std::string plugin_name;
    std::string type;
    std::vector<std::string> selector;
    std::vector<std::string> targets;
    std::vector<std::string> matches;
    std::vector<std::string> env;
    std::vector<std::string> host_env;
    std::string config;
    std::vector<std::string> set;
    std::vector<std::string> set_string;
    std::string ci;  // empty: github
    std::string module;
    std::string upstream;
    std::uint16_t port = default_port;
    bool unpinned = false;
    RegistryFlags registry;
};

std::pair<std::string, std::string> key_and_value(const std::string& text, std::string_view flag) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        throw usage_error(fmt::format("{} {} is no NAME=VALUE", flag, text));
    }
    return {text.substr(0, equals), text.substr(equals + 1)};
}

// "Gateway/web", "Service/reviews": the group follows from the kind.
ordered_json target_of(const std::string& text) {
    const auto slash = text.find('/');
    const auto kind = text.substr(0, slash);
    if (slash == std::string::npos || slash + 1 == text.size()) {
        throw usage_error(fmt::format("--target {} is no KIND/NAME", text),
                          "for example Gateway/web or Service/reviews");
    }
    const auto* group = kind == "Service"        ? ""
                        : kind == "ServiceEntry" ? "networking.istio.io"
                                                 : "gateway.networking.k8s.io";
    return {{"group", group}, {"kind", kind}, {"name", text.substr(slash + 1)}};
}

// "SERVER", "CLIENT:8080,8443", ":8080".
ordered_json match_of(const std::string& text) {
    ordered_json match = ordered_json::object();
    const auto colon = text.find(':');
    if (const auto mode = text.substr(0, colon); !mode.empty()) {
        match["mode"] = mode;
    }
    if (colon == std::string::npos) {
        return match;
    }
    for (std::size_t begin = colon + 1; begin <= text.size();) {
        const auto end = std::min(text.find(',', begin), text.size());
        const auto digits = text.substr(begin, end - begin);
        if (digits.empty() || digits.size() > 5 ||
            digits.find_first_not_of("0123456789") != std::string::npos) {
            throw usage_error(fmt::format("--match {}: '{}' is no port", text, digits));
        }
        match["ports"].push_back({{"number", std::stoi(digits)}});
        begin = end + 1;
    }
    return match;
}

ordered_json read_config(const std::string& name) {
    const bool is_stdin = name == "-";
    const auto file =
        yaml::File::parse(is_stdin ? read_stdin() : read_file(name), is_stdin ? "<stdin>" : name);
    const auto& root = file.single();
    if (!root.is_mapping()) {
        throw file.error(root.range(), "pluginConfig has to be a mapping",
                         "put the text below a key of your own");
    }
    return yaml::to_json(root);
}

// url and sha256. A file cannot be pinned: nobody would look. A tag is resolved once, by the
// same code as `update`, so that both write the same.
void put_reference(const GenerateOptions& options, Services& services, Draft& draft) {
    const auto& reference = options.reference;
    const bool http = reference.starts_with("http://") || reference.starts_with("https://");
    if (reference.starts_with("file://")) {
        draft.put("url", reference);
        return;
    }
    if (!http && parse_reference(reference).kind != ImageReference::Kind::registry) {
        throw usage_error(fmt::format("no cluster can fetch {}", reference),
                          "push it first, and name the registry's reference");
    }
    if (options.unpinned) {
        draft.put("url", http ? reference : parse_reference(reference).url());
        return;
    }
    if (http && options.sha256.empty()) {
        throw Error(fmt::format("the digest of {} is not known", reference),
                    "give that of the unpacked module with --sha256 (wasmplug hash prints it), "
                    "or --unpinned to go without");
    }
    if (!http && !options.sha256.empty()) {
        const auto digits = options.sha256.substr(options.sha256.starts_with("sha256:") ? 7 : 0);
        const auto digest = parse_reference(reference).digest;
        if (!digest.empty() && digest != "sha256:" + digits) {
            throw usage_error(fmt::format("{} and --sha256 name two digests", reference),
                              "give one of them");
        }
    }
    release::Resolver resolver(registry_options(options.registry, services), services);
    release::Wanted wanted;
    resolver.resolve(reference, options.sha256, release::State{}, wanted);
    draft.put("url", wanted.url);
    draft.put("sha256", wanted.sha256);
}

Draft draft_of(const GenerateOptions& options, Services& services) {
    if (options.reference.empty()) {
        throw usage_error("REF is missing", "name the image, as oci://ghcr.io/acme/auth:1.0.0");
    }
    const auto [ns, name] = manifest::split_name(
        options.name.empty() ? manifest::name_from_reference(options.reference) : options.name);
    Draft draft(options.kind == "trafficextension" ? manifest::Kind::traffic_extension
                                                   : manifest::Kind::wasm_plugin,
                ns, name);
    put_reference(options, services, draft);
    const auto put = [&](const char* path, const std::string& value) {
        if (!value.empty()) {
            draft.set(std::string(path) + "=" + value, false);
        }
    };
    put("phase", options.phase);
    put("priority", options.priority);
    put("failStrategy", options.fail_strategy);
    put("imagePullPolicy", options.pull_policy);
    put("imagePullSecret", options.pull_secret);
    put("pluginName", options.plugin_name);
    put("type", options.type);
    for (const auto& label : options.selector) {
        const auto [key, value] = key_and_value(label, "--selector");
        auto labels = draft.get("selector.matchLabels");
        labels[key] = value;
        draft.put("selector.matchLabels", labels);
    }
    for (const auto& target : options.targets) {
        draft.append("targetRefs", target_of(target));
    }
    for (const auto& match : options.matches) {
        draft.append("match", match_of(match));
    }
    for (const auto& variable : options.env) {
        const auto [key, value] = key_and_value(variable, "--env");
        draft.append("vmConfig.env", {{"name", key}, {"value", value}});
    }
    for (const auto& variable : options.host_env) {
        draft.append("vmConfig.env", {{"name", variable}, {"valueFrom", "HOST"}});
    }
    if (!options.config.empty()) {
        draft.put("pluginConfig", read_config(options.config));
    }
    for (const auto& assignment : options.set) {
        draft.set(assignment, false);
    }
    for (const auto& assignment : options.set_string) {
        draft.set(assignment, true);
    }
    return draft;
}

struct Pipeline {
    std::string ci;
    std::string text;
};

std::string to_text(const Pipeline& result) {
    return result.text;
}

// Text even here: for those who read a pipeline `on` is a key, in Kubernetes' YAML it is true.
ordered_json to_json(const Pipeline& result) {
    return {{"version", 1}, {"ci", result.ci}, {"text", result.text}};
}

// A manifest is itself the document: with -o json the same object, without its comments.
void print(const std::string& text, Services& services) {
    if (services.out.format() != Format::json) {
        services.out.print(text);
        return;
    }
    const auto file = yaml::File::parse(text, "the manifest");
    services.out.print(pretty_json(yaml::to_json(*file.documents().front().root)));
}

// What `run` starts, as a file for anybody's Envoy.
std::string write_envoy(const GenerateOptions& options, Services& services) {
    ChainOptions chain{.subjects = options.subjects, .module = options.module, .config = {}};
    if (!options.config.empty()) {
        chain.config = compact_json(read_config(options.config));
    }
    PluginChain plugins;
    find_plugins(chain, {}, services, plugins);
    envoy::Bootstrap bootstrap{.filters = std::move(plugins.filters), .port = options.port};
    if (!options.upstream.empty()) {
        bootstrap.upstream = envoy::Cluster{.name = "upstream", .endpoint = options.upstream};
    }
    return "# envoy -c FILE\n" + yaml::write(envoy::to_json(bootstrap));
}

void show(const manifest::Translation& translation, Services& services) {
    for (const auto& lost : translation.lost) {
        services.out.warn(lost);
    }
    print(translation.text, services);
}

// What a kind would pass over is a misunderstanding that is better said.
void refuse_idle_flags(const GenerateOptions& options) {
    const auto& kind = options.kind;
    const bool envoy = kind == "envoy";
    const bool alerts = kind == "prometheusrule";
    const bool manifest = !envoy && !alerts && kind != "ci";
    const auto only = [&](bool reads, const char* flag, bool given) {
        if (given && !reads) {
            throw usage_error(fmt::format("generate {} does not use {}", kind, flag));
        }
    };
    only(kind != "ci", "a REF", !options.subjects.empty());
    only(kind == "ci", "--ci", !options.ci.empty());
    only(envoy, "--module", !options.module.empty());
    only(envoy, "--upstream", !options.upstream.empty());
    only(envoy, "--port", options.port != default_port);
    only(manifest || alerts, "--name", !options.name.empty());
    only(manifest || envoy, "--config", !options.config.empty());
    only(manifest, "--sha256", !options.sha256.empty());
    only(manifest, "--unpinned", options.unpinned);
    const std::pair<const char*, const std::string&> texts[] = {
        {"--phase", options.phase},
        {"--priority", options.priority},
        {"--fail-strategy", options.fail_strategy},
        {"--pull-policy", options.pull_policy},
        {"--pull-secret", options.pull_secret},
        {"--plugin-name", options.plugin_name},
        {"--type", options.type}};
    for (const auto& [flag, value] : texts) {
        only(manifest, flag, !value.empty());
    }
    const std::pair<const char*, const std::vector<std::string>&> lists[] = {
        {"--selector", options.selector},      {"--target", options.targets},
        {"--match", options.matches},          {"--env", options.env},
        {"--env-from-host", options.host_env}, {"--set", options.set},
        {"--set-string", options.set_string}};
    for (const auto& [flag, values] : lists) {
        only(manifest, flag, !values.empty());
    }
}

ExitCode run_generate(const GenerateOptions& given, Services& services) {
    GenerateOptions options = given;
    refuse_idle_flags(options);
    if (options.kind != "envoy" && options.subjects.size() > 1) {
        throw usage_error(fmt::format("{} is one REF too many", options.subjects[1]));
    }
    options.reference = options.subjects.empty() ? "" : options.subjects.front();
    const auto& release = istio::release_for(options.host);
    if (options.kind == "ci") {
        services.out.show(
            Pipeline{options.ci.empty() ? "github" : options.ci,
                     manifest::write_ci(options.ci == "gitlab" ? manifest::Ci::gitlab
                                                               : manifest::Ci::github)});
    } else if (options.kind == "envoy") {
        print(write_envoy(options, services), services);
    } else if (options.kind == "prometheusrule") {
        const auto [ns, name] =
            manifest::split_name(options.name.empty() ? "wasm-plugins" : options.name);
        const auto counters = options.reference.empty()
                                  ? std::vector<std::string>{}
                                  : error_counters(options.reference, services);
        print(manifest::write_prometheus_rule(ns, name, release, counters), services);
    } else if (options.kind == "envoyextensionpolicy") {
        show(manifest::write_extension_policy(draft_of(options, services)), services);
    } else if (options.kind == "envoyfilter") {
        show(manifest::write_envoy_filter(draft_of(options, services), release), services);
    } else {
        print(manifest::write_manifest(draft_of(options, services), release), services);
    }
    return ExitCode::ok;
}

void add_field_options(CLI::App& command, GenerateOptions& options) {
    const auto one = [&](const char* flag, std::string& value, const char* text, const char* type) {
        command.add_option(flag, value, text)->type_name(type);
    };
    const auto many = [&](const char* flag, std::vector<std::string>& values, const char* text,
                          const char* type) {
        command.add_option(flag, values, text)->type_name(type)->allow_extra_args(false);
    };
    const auto words = [](std::string_view path) {
        std::vector<std::string> names;
        for (const auto& value : manifest::find_field(manifest::Kind::wasm_plugin, path)->values) {
            names.emplace_back(value.name);
        }
        return names;
    };
    choices(command.add_option("--phase", options.phase, "Where in the filter chain"),
            words("phase"));
    one("--priority", options.priority, "Order within the phase; higher runs first", "N");
    choices(command.add_option("--fail-strategy", options.fail_strategy,
                               "What happens when the module cannot run"),
            words("failStrategy"));
    choices(command.add_option("--pull-policy", options.pull_policy, "When to fetch again"),
            words("imagePullPolicy"));
    one("--pull-secret", options.pull_secret, "The registry's credentials, a Secret's name",
        "NAME");
    one("--plugin-name", options.plugin_name, "Which root context of the module", "NAME");
    choices(command.add_option("--type", options.type, "HTTP or network filter"), words("type"));
    many("--selector", options.selector, "Labels that the pods carry; repeatable", "KEY=VALUE");
    many("--target", options.targets,
         "A Gateway, Service, ServiceEntry or GatewayClass; repeatable", "KIND/NAME");
    many("--match", options.matches, "Traffic, as SERVER or CLIENT:8080; repeatable",
         "MODE[:PORT,...]");
    many("--env", options.env, "An environment variable of the plugin; repeatable", "NAME=VALUE");
    many("--env-from-host", options.host_env, "One taken from the proxy; repeatable", "NAME");
    one("--config", options.config, "pluginConfig from a YAML or JSON file, or - for stdin",
        "FILE");
    many("--set", options.set, "Any field below spec; repeatable", "PATH=VALUE");
    many("--set-string", options.set_string, "The same, never a number or boolean; repeatable",
         "PATH=VALUE");
}

void add_generate(CLI::App& command, Run& selected) {
    auto options = std::make_shared<GenerateOptions>();
    choices(command.add_option("KIND", options->kind, "What to write")->required(),
            {"wasmplugin", "trafficextension", "envoyextensionpolicy", "envoyfilter", "envoy",
             "prometheusrule", "ci"});
    command
        .add_option("REF", options->subjects,
                    "The image, or an http(s) or file url; for envoy a project, a module or "
                    "manifests; for prometheusrule a project or a manifest, whose own errors are "
                    "watched too")
        ->type_name("REF");
    command.add_option("--name", options->name, "What to call it; else from REF")
        ->type_name("[NAMESPACE/]NAME");
    command
        .add_option("--sha256", options->sha256,
                    "The image manifest's digest; for http that of the module")
        ->type_name("DIGEST");
    command.add_flag("--unpinned", options->unpinned, "Write no digest");
    command.add_option("--for", options->host, "The release that has to take it")
        ->type_name("HOST");
    add_field_options(command, *options);
    command
        .add_option("--module", options->module,
                    "For envoy: the module, instead of what a manifest names")
        ->type_name("FILE");
    command
        .add_option("--upstream", options->upstream,
                    "For envoy: where requests go behind the plugin, instead of a canned answer")
        ->type_name("HOST:PORT");
    command.add_option("--port", options->port, "For envoy: port on loopback")->type_name("N");
    add_registry_flags(command, options->registry, RegistryUse::read);
    choices(command.add_option("--ci", options->ci, "For ci: whose pipeline"),
            {"github", "gitlab"});
    command.footer(
        "wasmplug generate wasmplugin ghcr.io/acme/auth:1.2.0 --name prod/auth\n"
        "wasmplug generate wasmplugin ghcr.io/acme/auth:1.2.0 --config config.yaml \\\n"
        "    --selector app=shop --set-string pluginConfig.mode=on\n"
        "wasmplug generate envoy deploy/auth.yaml --module plugin.wasm > envoy.yaml\n"
        "wasmplug generate prometheusrule plugin.yaml --name monitoring/wasm");
    selects(command, selected, options, run_generate);
}

}  // namespace

extern const Command generate_command;
const Command generate_command = {.name = "generate",
                                  .summary = "Write a manifest, alerts or a pipeline",
                                  .group = Group::declare,
                                  .add = add_generate};

}  // namespace wasmplug
