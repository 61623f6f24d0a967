#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "commands/build_world.hpp"
#include "commands/command.hpp"
#include "commands/plugin_chain.hpp"
#include "commands/plugin_log.hpp"
#include "envoy/bootstrap.hpp"
#include "envoy/request.hpp"
#include "envoy/server.hpp"
#include "oci/artefact.hpp"
#include "toolchain/build.hpp"

namespace wasmplug {
namespace {

using namespace std::chrono_literals;

struct RunOptions {
    ChainOptions chain;
    std::string envoy;
    std::string upstream;
    std::uint16_t port = 0;
    std::string log_level = "info";
    std::optional<std::string> request;
    std::vector<std::string> headers;
    std::string data;
    bool watch = false;
};

struct RunResult {
    HttpResponse response;
    std::vector<std::string> logs;
};

std::string to_text(const RunResult& result) {
    return envoy::describe(result.response);
}

nlohmann::ordered_json to_json(const RunResult& result) {
    auto headers = nlohmann::ordered_json::array();
    for (const auto& [name, value] : result.response.headers) {
        headers.push_back({{"name", name}, {"value", value}});
    }
    return {{"version", 1},
            {"status", result.response.status},
            {"headers", headers},
            {"body", result.response.body},
            {"logs", result.logs}};
}

// For a program that starts the server: where it listens, once it does. People read the notes.
struct Running {
    std::string address;
    const std::vector<envoy::Filter>& filters;
};

nlohmann::ordered_json to_json(const Running& result) {
    auto plugins = nlohmann::ordered_json::array();
    for (const auto& filter : result.filters) {
        plugins.push_back({{"name", filter.name}, {"module", filter.module.string()}});
    }
    return {{"version", 1}, {"address", result.address}, {"plugins", plugins}};
}

std::string to_text(const Running&) {
    return {};
}

envoy::Bootstrap bootstrap_for(const RunOptions& options,
                               const std::vector<envoy::Filter>& filters) {
    envoy::Bootstrap bootstrap{.filters = filters, .port = options.port};
    if (!options.upstream.empty()) {
        bootstrap.upstream = envoy::Cluster{.name = "upstream", .endpoint = options.upstream};
    }
    bootstrap.canned_socket = fmt::format("@wasmplug-upstream-{}", ::getpid());
    return bootstrap;
}

// Editors save in several steps, compilers write for a while.
void wait_until_quiet(const PluginChain& chain, Services& services) {
    FileTimes last = times_of(chain);
    for (;;) {
        services.sleep(150ms, services.cancel);
        FileTimes now = times_of(chain);
        if (now == last) {
            return;
        }
        last = std::move(now);
    }
}

std::uint16_t port_of(const std::string& address) {
    return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

// What Envoy counts and logs nowhere, and a person has to know to understand an answer.
class Remarks {
  public:
    Remarks(const envoy::Server& server, std::string upstream)
        : server_(server), upstream_(std::move(upstream)) {}

    // Of each kind once.
    void tell(Output& out) {
        const auto stats = parse_json(
            server_.admin("/stats?format=json&filter="
                          "upstream_cx_connect_fail$|^http.main.downstream_rq_idle_timeout$"),
            "Envoy's statistics");
        for (const auto& one : stats.value("stats", nlohmann::ordered_json::array())) {
            const std::string name = one.value("name", "");
            if (!one.contains("value") || one["value"] == 0 || !told_.insert(name).second) {
                continue;
            }
            if (name == "cluster.upstream.upstream_cx_connect_fail") {
                out.warn(fmt::format("nothing takes connections at {}", upstream_),
                         "until something does, Envoy answers with 503 itself");
            } else if (name == "http.main.downstream_rq_idle_timeout") {
                out.warn("nothing went on with a request for 30 s: the 504 is Envoy's",
                         "did the plugin pause it, and never resume it?");
            }
        }
    }

  private:
    const envoy::Server& server_;
    std::string upstream_;
    std::set<std::string> told_;
};

// --request: one exchange.
ExitCode send_one(const RunOptions& options, const envoy::Server& server, const PluginLog& log,
                  Services& services) {
    const auto request =
        envoy::parse_request(*options.request, options.headers, options.data, server.address());
    RunResult result;
    try {
        result.response = services.send(request, services.cancel);
    } catch (const HttpError& error) {
        const bool stalled = error.kind() == HttpError::Kind::stall;
        throw Error(stalled ? "Envoy does not answer"
                            : "Envoy cut the connection before there was an answer",
                    stalled ? "does the plugin loop?" : "did the plugin close the stream?");
    }
    services.sleep(50ms, services.cancel);  // on_log comes after the response
    result.logs = log.lines();
    Remarks(server, options.upstream).tell(services.out);
    services.out.show(result);
    return ExitCode::ok;
}

// `run` as it goes on: an Envoy that serves until the user ends it, and with --watch is replaced
// by one with what has changed.
class Session {
  public:
    Session(const RunOptions& options, Services& services)
        : options_(options),
          services_(services),
          program_(envoy::find_envoy(options.envoy, services.environment)) {}

    // Finds and builds the plugins, and starts an Envoy with them. With --watch, what goes wrong
    // is shown, and false returned: an Envoy that ran goes on when there is no module to take its
    // place.
    bool start() {
        PluginChain fresh;
        try {
            find_plugins(options_.chain, supply(), services_, fresh);
        } catch (const Error& error) {
            chain_.files.insert(chain_.files.end(), fresh.files.begin(), fresh.files.end());
            chain_.projects = fresh.projects.empty() ? chain_.projects : fresh.projects;
            chain_.times = times_of(chain_);
            for (auto& [file, time] : chain_.times) {
                const auto found = fresh.times.find(file);
                time = found == fresh.times.end() ? time : found->second;
            }
            return wait_or_throw(error);
        }
        chain_ = std::move(fresh);
        server_.reset();
        log_.emplace(services_.out, names());
        const envoy::Server::Options how{.envoy = program_,
                                         .log_level = options_.log_level,
                                         .on_log = [this](const envoy::LogEntry& entry, bool more) {
                                             log_->take(entry, more);
                                         }};
        try {
            server_.emplace(bootstrap_for(options_, chain_.filters), how, services_);
        } catch (const envoy::RefusedByEnvoy& refused) {
            log_->refused();
            return wait_or_throw(refused);
        }
        log_->started();
        // Whoever sends requests goes on doing so after a change.
        options_.port = port_of(server_->address());
        return true;
    }

    ExitCode answer_one() { return send_one(options_, *server_, *log_, services_); }

    // Returns when a file has changed; throws as Cancel::check does, and when the Envoy ends.
    void serve() {
        std::optional<Remarks> remarks;
        if (server_) {
            remarks.emplace(*server_, options_.upstream);
        }
        for (unsigned turn = 1;; ++turn) {
            services_.sleep(200ms, services_.cancel);
            if (const auto code = server_ ? server_->ended() : std::nullopt) {
                throw Error(fmt::format("Envoy ended by itself, with exit code {}", *code));
            }
            if (remarks && turn % 5 == 0) {
                remarks->tell(services_.out);
            }
            if (options_.watch && times_of(chain_) != chain_.times) {
                wait_until_quiet(chain_, services_);
                return;
            }
        }
    }

    void announce() {
        for (const auto& filter : chain_.filters) {
            services_.out.step(fmt::format("{} runs ({})", filter.name, short_path(filter.module)));
        }
        if (!std::exchange(announced_, true)) {  // the address stays
            services_.out.note(
                fmt::format("send requests to http://{}/ ; end with Ctrl-C", server_->address()));
            services_.out.show(Running{server_->address(), chain_.filters});
        }
    }

  private:
    bool wait_or_throw(const Error& error) {
        if (!options_.watch || error.code() == ExitCode::interrupted ||
            error.code() == ExitCode::usage) {
            throw error;
        }
        services_.out.error(error);
        services_.out.note(server_ ? "the plugin from before goes on; waiting for a change"
                                   : "waiting for a change");
        return false;
    }

    std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& filter : chain_.filters) {
            all.push_back(filter.name);
        }
        return all;
    }

    // As the person would write it.
    static std::string short_path(const std::filesystem::path& path) {
        const auto relative = path.lexically_proximate(std::filesystem::current_path()).string();
        return relative.starts_with("..") ? path.string() : relative;
    }

    ModuleSupply supply() {
        return {.build = [this](const toolchain::Project& project) { build(project); },
                .fetch =
                    [this](const std::string& url, const std::string& sha256) {
                        return fetch(url, sha256);
                    }};
    }

    void build(const toolchain::Project& project) {
        services_.out.progress("building " + project.name);
        const auto built = toolchain::build(
            project, {.offline = services_.offline, .colour = services_.out.style().colour},
            build_world(services_));
        for (const auto& warning : built.warnings) {
            services_.out.warn(warning.message, warning.hint);
        }
        services_.out.step(fmt::format("built {}", short_path(built.module)));
    }

    // What Istio's agent would hand to Envoy.
    std::filesystem::path fetch(const std::string& url, const std::string& sha256) {
        services_.out.progress("fetching " + url);
        const auto file = fetched_.path() / fmt::format("{}.wasm", sha256_hex(url).substr(0, 16));
        bool there = false;
        oci::ArtefactQuery query{.url = url};
        query.on_module = [&](std::string_view module) {
            write_file(file, module);
            there = true;
        };
        const auto facts = oci::look_up(query, {}, {}, services_);
        services_.out.progress("");
        if (!there) {
            throw Error(facts.problem.empty()
                            ? fmt::format("{} holds no module that Istio takes", url)
                            : facts.problem,
                        facts.hint.empty() ? "name the module of this machine with --module FILE"
                                           : facts.hint);
        }
        const auto is_it = [&](const std::string& digest) {
            return digest == sha256 || digest == "sha256:" + sha256;
        };
        if (!sha256.empty() && !is_it(facts.digest) && !is_it(facts.image_digest) &&
            !is_it(facts.module_sha256)) {
            services_.out.warn(fmt::format("Istio will not load {}: its digest is {}", url,
                                           facts.is_image ? facts.digest : facts.module_sha256),
                               "the manifest's sha256 is another one");
        }
        services_.out.step(fmt::format("fetched {} ({})", url, format_size(facts.module_size)));
        return file;
    }

    RunOptions options_;
    Services& services_;
    std::filesystem::path program_;
    TemporaryDirectory fetched_;
    PluginChain chain_;
    std::optional<PluginLog> log_;  // outlives the server, which hands lines to it
    std::optional<envoy::Server> server_;
    bool announced_ = false;
};

void check(const RunOptions& options) {
    if (options.request) {
        envoy::parse_request(*options.request, options.headers, options.data, "127.0.0.1:1");
    } else if (!options.headers.empty() || !options.data.empty()) {
        throw usage_error("--header and --data are parts of a --request",
                          "add --request 'GET /path'");
    }
    if (options.request && options.watch) {
        throw usage_error("--request ends after one answer, and --watch goes on");
    }
    to_json(bootstrap_for(options, {}));  // says whether --upstream is one
}

ExitCode run_run(const RunOptions& options, Services& services) {
    check(options);
    Session session(options, services);
    try {
        for (;;) {
            const bool started = session.start();
            if (started && options.request) {
                return session.answer_one();
            }
            if (started) {
                session.announce();
            }
            session.serve();
            services.out.note("something changed");
        }
    } catch (const Error& error) {
        // The way to end it; who asked for one answer and has none was interrupted.
        if (error.code() == ExitCode::interrupted && !options.request) {
            return ExitCode::ok;
        }
        throw;
    }
}

void add_run(CLI::App& command, Run& selected) {
    auto options = std::make_shared<RunOptions>();
    add_chain_options(command, options->chain);
    command.add_option("--envoy", options->envoy, "The Envoy to run, instead of the one on PATH")
        ->type_name("FILE")
        ->allow_extra_args(false);
    command
        .add_option("--upstream", options->upstream,
                    "Where requests go behind the plugin, instead of a canned answer")
        ->type_name("HOST:PORT")
        ->allow_extra_args(false);
    command.add_option("--port", options->port, "Port on loopback (the kernel picks one)")
        ->type_name("N")
        ->check(CLI::Range(1, 65'535).description(""));
    choices(command.add_option("--log-level", options->log_level, "What plugins may say"),
            {"trace", "debug", "info", "warn", "error"});
    command
        .add_option_function<std::string>(
            "--request", [options](const std::string& text) { options->request = text; },
            "Send one request, print the answer and end: 'GET /path'")
        ->type_name("REQUEST")
        ->allow_extra_args(false);
    command.add_option("-H,--header", options->headers, "Header of the request: 'Name: value'")
        ->type_name("HEADER")
        ->allow_extra_args(false);
    command.add_option("--data", options->data, "Body of the request, or @FILE")
        ->type_name("TEXT|@FILE")
        ->allow_extra_args(false);
    command.add_flag("--watch", options->watch,
                     "Build and start again when a source, the module or a manifest "
                     "changes");
    command.footer(
        "wasmplug run --request 'GET /'\n"
        "wasmplug run build/plugin.wasm --config '{\"header_name\": \"x-a\"}'\n"
        "wasmplug run deploy/ --upstream 127.0.0.1:8080 --watch");
    selects(command, selected, options, run_run);
}

}  // namespace

extern const Command run_command;
const Command run_command = {.name = "run",
                             .summary = "Run a plugin in a local Envoy",
                             .group = Group::create,
                             .add = add_run};

}  // namespace wasmplug
