#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/json.hpp"
#include "commands/command.hpp"
#include "commands/plugin_chain.hpp"
#include "envoy/bootstrap.hpp"
#include "envoy/request.hpp"
#include "envoy/server.hpp"

namespace wasmplug {
namespace {

using namespace std::chrono_literals;

struct RunOptions {
    ChainOptions chain;
    std::string envoy;
    std::string upstream;
    std::uint16_t port = 0;
    std::string log_level = "info";
    std::string request;
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

// Shows what plugins say as it happens, and keeps it. While Envoy starts, it
// configures a plugin three times (in a canary, on the main thread, on the worker): what it says
// again is not shown again.
class PluginLog {
  public:
    explicit PluginLog(Output& out) : out_(out) {}

    void take(const envoy::LogEntry& entry) {
        const auto words = envoy::plugin_words(entry);
        const bool grave = entry.level == "error" || entry.level == "critical";
        const std::scoped_lock lock(mutex_);
        if (words) {
            const std::string line = entry.level + ": " + *words;
            if (!again(line)) {
                lines_.push_back(line);
                print(line, grave);
            }
        } else if (grave && ready_) {
            print("envoy: " + entry.text, true);
        }
    }

    void ready() {
        const std::scoped_lock lock(mutex_);
        ready_ = true;
    }

    std::vector<std::string> lines() const {
        const std::scoped_lock lock(mutex_);
        return lines_;
    }

  private:
    // What a plugin says at its start comes three times, the last from a worker that may still be
    // starting when Envoy says that it is ready.
    bool again(const std::string& line) {
        constexpr int times = 3;
        const auto known = at_start_.find(line);
        if (ready_ && (known == at_start_.end() || known->second >= times)) {
            return false;
        }
        return ++at_start_[line] > 1;
    }

    void print(const std::string& line, bool grave) {
        out_.stream(paint(grave ? "31" : "2", printable(line), out_.style().colour) + "\n");
    }

    Output& out_;
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
    std::map<std::string, int> at_start_;  // how often each line came while Envoy started
    bool ready_ = false;
};

envoy::Bootstrap bootstrap_for(const RunOptions& options,
                               const std::vector<envoy::Filter>& filters) {
    envoy::Bootstrap bootstrap{.filters = filters, .port = options.port};
    if (!options.upstream.empty()) {
        bootstrap.upstream = envoy::Cluster{.name = "upstream", .endpoint = options.upstream};
    }
    bootstrap.canned_socket = fmt::format("@wasmplug-upstream-{}", ::getpid());
    return bootstrap;
}

std::filesystem::file_time_type newest(const std::vector<std::filesystem::path>& files) {
    auto time = std::filesystem::file_time_type::min();
    for (const auto& file : files) {
        std::error_code none;
        time = std::max(time, std::filesystem::last_write_time(file, none));
    }
    return time;
}

// False when the user ends it, which is the way to end it.
bool wait_for_change(const std::vector<std::filesystem::path>& watched, Services& services) {
    const auto before = newest(watched);
    try {
        while (newest(watched) == before) {
            services.sleep(200ms, services.cancel);
        }
    } catch (const Error& error) {
        if (error.code() == ExitCode::interrupted) {
            return false;
        }
        throw;
    }
    return true;
}

std::uint16_t port_of(const std::string& address) {
    return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

// Serves until a watched file changes or the user ends it; true for a change.
bool serve(const RunOptions& options, envoy::Server& server,
           const std::vector<std::filesystem::path>& watched, Services& services) {
    const auto before = newest(watched);
    for (;;) {
        services.sleep(200ms, services.cancel);
        if (const auto code = server.ended()) {
            throw Error(fmt::format("Envoy ended by itself with exit code {}", *code));
        }
        if (options.watch && newest(watched) != before) {
            return true;
        }
    }
}

// --request: one exchange.
ExitCode send_one(const RunOptions& options, const envoy::Server& server, const PluginLog& log,
                  Services& services) {
    const auto request =
        envoy::parse_request(options.request, options.headers, options.data, server.address());
    RunResult result{.response = services.send(request, services.cancel)};
    services.sleep(50ms, services.cancel);  // on_log comes after the response
    result.logs = log.lines();
    services.out.show(result);
    return ExitCode::ok;
}

ExitCode run_run(const RunOptions& options, Services& services) {
    if (!options.request.empty()) {
        envoy::parse_request(options.request, options.headers, options.data, "127.0.0.1:1");
    }
    const auto program = envoy::find_envoy(options.envoy, services.environment);
    RunOptions kept = options;
    bool shown = false;
    for (;;) {
        const PluginChain chain = plugin_chain(options.chain, services);
        PluginLog log(services.out);
        const envoy::Server::Options how{.envoy = program,
                                         .log_level = options.log_level,
                                         .on_log = [&](const envoy::LogEntry& entry) {
                                             log.take(entry);
                                         }};
        std::optional<envoy::Server> started;
        try {
            started.emplace(bootstrap_for(kept, chain.filters), how, services);
        } catch (const envoy::RefusedByEnvoy& refused) {
            if (!options.watch) {
                throw;
            }
            services.out.error(refused);
            services.out.note("waiting for a change");
            if (wait_for_change(chain.files, services)) {
                continue;
            }
            return ExitCode::ok;
        }
        envoy::Server& server = *started;
        log.ready();
        // Whoever sends requests goes on doing so after a change.
        kept.port = port_of(server.address());
        if (!options.request.empty()) {
            return send_one(options, server, log, services);
        }
        for (const auto& filter : chain.filters) {
            services.out.step(fmt::format("{} runs ({})", filter.name, filter.module.string()));
        }
        services.out.note(
            fmt::format("send requests to http://{}/ ; end with Ctrl-C", server.address()));
        if (!shown) {  // one document: the address stays
            services.out.show(Running{server.address(), chain.filters});
            shown = true;
        }
        try {
            if (serve(options, server, chain.files, services)) {
                services.out.note("something changed: starting again");
            }
        } catch (const Error& error) {
            if (error.code() == ExitCode::interrupted) {
                return ExitCode::ok;  // the way to end it
            }
            throw;
        }
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
        ->type_name("N");
    choices(command.add_option("--log-level", options->log_level, "What plugins may say"),
            {"trace", "debug", "info", "warn", "error"});
    command
        .add_option("--request", options->request,
                    "Send one request, print the answer and end: 'GET /path'")
        ->type_name("REQUEST")
        ->allow_extra_args(false);
    command.add_option("-H,--header", options->headers, "Header of the request: 'Name: value'")
        ->type_name("HEADER")
        ->allow_extra_args(false);
    command.add_option("--data", options->data, "Body of the request")
        ->type_name("TEXT")
        ->allow_extra_args(false);
    command.add_flag("--watch", options->watch,
                     "Start again when the module or a manifest changes");
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
