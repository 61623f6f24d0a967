#include "commands/shipping.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <system_error>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/git.hpp"
#include "base/parallel.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "manifest/config_schema.hpp"
#include "oci/media_types.hpp"
#include "toolchain/project.hpp"
#include "toolchain/sources.hpp"
#include "wasm/loading.hpp"

namespace wasmplug {
namespace {

void add_annotation(oci::Annotations& annotations, const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        throw usage_error(fmt::format("'{}' is no annotation", text), "write it as KEY=VALUE");
    }
    annotations[text.substr(0, equals)] = text.substr(equals + 1);
}

// Reproducible builds: only this variable may bring a time into an image.
std::string created(Services& services) {
    const auto epoch = services.environment("SOURCE_DATE_EPOCH");
    if (!epoch || epoch->empty()) {
        return {};
    }
    if (epoch->size() > 11 || epoch->find_first_not_of("0123456789") != std::string::npos) {
        throw Error(fmt::format("SOURCE_DATE_EPOCH is '{}', not a number of seconds", *epoch));
    }
    return format_time(WallClock::time_point(std::chrono::seconds(std::stoll(*epoch))));
}

// The first line; nothing when git is not there, or cannot say.
std::optional<std::string> git_line(const std::vector<std::string>& arguments,
                                    const std::string& directory, Services& services) {
    try {
        const ProcessResult result = run_git(
            {.arguments = arguments, .folder = directory, .timeout = std::chrono::seconds(10)},
            services.spawn, services.cancel);
        return result.exit_code == 0 ? std::optional(first_line(result.out)) : std::nullopt;
    } catch (const Error& error) {
        if (error.code() == ExitCode::interrupted) {
            throw;
        }
        return std::nullopt;
    }
}

// A remote as people click it: no user, no password, no .git.
std::string web_address(std::string remote) {
    if (remote.starts_with("git@")) {
        const std::size_t colon = remote.find(':');
        if (colon == std::string::npos) {
            return {};
        }
        remote = "https://" + remote.substr(4, colon - 4) + "/" + remote.substr(colon + 1);
    }
    if (!remote.starts_with("https://")) {
        return {};
    }
    remote = display_url(remote);
    return remote.ends_with(".git") ? remote.substr(0, remote.size() - 4) : remote;
}

void describe(oci::Annotations& annotations, const toolchain::Project& project,
              Services& services) {
    const auto put = [&](const char* key, const std::string& value) {
        if (!value.empty()) {
            annotations.emplace(key, value);
        }
    };
    const std::string directory = project.directory.string();
    const auto git = [&](const std::vector<std::string>& arguments) {
        return git_line(arguments, directory, services);
    };
    put(oci::annotation::title, project.name);
    put(oci::annotation::version, project.version);
    put(oci::annotation::licenses, project.license);
    // A revision that does not hold what was packed would be a lie.
    if (git({"status", "--porcelain", "--", "."}) == "") {
        put(oci::annotation::revision, git({"rev-parse", "HEAD"}).value_or(""));
    }
    put(oci::annotation::source, web_address(git({"remote", "get-url", "origin"}).value_or("")));
}

// validate --online judges pluginConfig by it.
void carry_schema(const std::string& named, const std::string& project,
                  oci::Annotations& annotations, Output& out) {
    namespace fs = std::filesystem;
    std::error_code ignored;
    const auto own = fs::path(project) / "config.schema.json";
    if (named.empty() && (project.empty() || !fs::is_regular_file(own, ignored))) {
        return;
    }
    const auto file = named.empty() ? own : fs::path(named);
    auto text = manifest::config_schema_text(file);
    if (text.size() > oci::limit::packed_config_schema) {
        const auto problem =
            fmt::format("{} is larger than the {} that an image carries", file.string(),
                        format_size(oci::limit::packed_config_schema));
        if (!named.empty()) {
            throw Error(problem);
        }
        out.note(problem + ", and stays behind");
        return;
    }
    annotations.emplace(oci::annotation::config_schema, std::move(text));
}

toolchain::Project project_of(const std::string& source) {
    const auto project = toolchain::project_at(source);
    if (!project) {
        throw Error(fmt::format("{} is neither a project nor an image layout", source),
                    "a project has a Cargo.toml, go.mod, package.json or C++ sources; a layout has "
                    "an oci-layout");
    }
    std::error_code error;
    if (!std::filesystem::exists(project->module(), error)) {
        throw Error(
            fmt::format("{} is not built: there is no {}", source, project->module().string()),
            fmt::format("wasmplug build {}", source));
    }
    if (const auto newer = toolchain::newer_than_module(*project)) {
        throw Error(fmt::format("{} is newer than {}", newer->string(), project->module().string()),
                    fmt::format("wasmplug build {}", source));
    }
    return *project;
}

// What is judged is held in memory, and pushing must stay flat; a real plugin is far below.
constexpr std::uintmax_t judged_size = std::uintmax_t{24} << 20;
constexpr std::uintmax_t parallel_size = std::uintmax_t{256} << 10;

// Every layout but cncf is for hosts that are Envoys.
void require_envoy_loads(const std::filesystem::path& module, Output& out) {
    if (std::filesystem::file_size(module) > judged_size) {
        out.note(fmt::format("{} is over {}: whether Envoy loads it was not looked at",
                             module.string(), format_size(judged_size)));
        return;
    }
    const auto verdict =
        wasm::would_load(read_file(module), wasm::envoy_rules(wasm::newest_envoy_minor()));
    if (!verdict.loads) {
        throw Error(fmt::format("no Envoy would load {}: {}", module.string(), verdict.message),
                    verdict.reason);
    }
}

}  // namespace

void add_package_flags(CLI::App& command, PackageFlags& flags) {
    choices(command.add_option("--layout", flags.layout,
                               "Format of the image; compat is what every host loads"),
            oci::package_layout_names());
    command
        .add_option("--annotation", flags.annotations, "Add this to the manifest; may be repeated")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    command
        .add_option("--extra", flags.extra,
                    "A file that travels in a layer before the module's; may be repeated")
        ->type_name("FILE[:TYPE]")
        ->allow_extra_args(false);
    command
        .add_option("--schema", flags.schema,
                    "JSON Schema of pluginConfig, for the image to carry; a project's own "
                    "config.schema.json when left out")
        ->type_name("FILE");
}

Shipped ship(const std::string& source, const PackageFlags& flags, oci::Module module,
             const oci::RegistryOptions& registry, Services& services) {
    Shipped shipped;
    shipped.source = source;
    const oci::Source found = oci::classify_source(source, oci::Registries::refused);
    if (found.kind == oci::SourceKind::image) {
        if (!flags.layout.empty() || !flags.annotations.empty() || !flags.extra.empty() ||
            !flags.schema.empty()) {
            throw usage_error(
                fmt::format("{} is an image already", source),
                "--layout, --annotation, --extra and --schema are for a module or a project");
        }
        shipped.shipment = oci::load(found.image, module, registry, services);
        return shipped;
    }
    oci::PackageInput input;
    input.layout =
        flags.layout.empty() ? oci::PackageLayout::compat : oci::package_layout(flags.layout);
    input.created = created(services);
    for (const auto& annotation : flags.annotations) {
        add_annotation(input.annotations, annotation);
    }
    for (const auto& extra : flags.extra) {
        input.extra.push_back(oci::parse_extra_file(extra, input.layout));
    }
    input.module = found.path;
    if (found.kind == oci::SourceKind::project) {
        const toolchain::Project project = project_of(source);
        shipped.name = project.name;
        shipped.version = project.version;
        shipped.directory = project.directory.string();
        input.module = project.module();
        describe(input.annotations, project, services);
    }
    carry_schema(flags.schema, shipped.directory, input.annotations, services.out);
    // The judge's words come first when both have something to say. A small module is not worth
    // a thread.
    const auto judge_or_pack = [&](std::size_t task) {
        if (task == 1) {
            shipped.shipment = oci::pack(input);
        } else if (input.layout != oci::PackageLayout::cncf) {
            require_envoy_loads(input.module, services.out);
        }
    };
    std::error_code error;
    const bool small = std::filesystem::file_size(input.module, error) < parallel_size;
    parallel_for(2, judge_or_pack, services.cancel, small ? 1 : 2);
    return shipped;
}

std::string tag_for(const ImageReference& destination, const Shipped& shipped) {
    if (!destination.tag.empty()) {
        return destination.tag;
    }
    for (const auto& tag : {shipped.version, shipped.shipment.tag}) {
        if (is_valid_tag(tag)) {
            return tag;
        }
    }
    return "latest";
}

nlohmann::ordered_json image_json(const std::string& reference, const oci::Shipment& shipment) {
    using nlohmann::ordered_json;
    ordered_json loads = ordered_json::object();
    for (const auto& verdict : oci::verdicts(shipment.manifest)) {
        loads[verdict.host] = verdict.loads;
    }
    const auto or_null = [](const std::string& text) {
        return text.empty() ? ordered_json() : ordered_json(text);
    };
    return {{"reference", reference},
            {"digest", shipment.image.manifest.digest},
            {"module_sha256", shipment.module_sha256},
            {"size", shipment.module_size},
            {"image_size", shipment.image_size()},
            {"media_type", shipment.image.manifest.media_type},
            {"diff_id", or_null(shipment.diff_id)},
            {"loads", loads}};
}

}  // namespace wasmplug
