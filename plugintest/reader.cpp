#include "plugintest/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace wasmplug::plugintest {
namespace {

constexpr std::size_t body_limit = std::size_t{64} << 20;

void set_header(Headers& headers, const std::string& name, std::string value) {
    for (auto& header : headers) {
        if (header.first == name) {
            header.second = std::move(value);
            return;
        }
    }
    headers.emplace_back(name, std::move(value));
}

bool has(const Headers& headers, std::string_view name) {
    return std::any_of(headers.begin(), headers.end(),
                       [&](const auto& header) { return header.first == name; });
}

// A list gives one header a value; what was there under the name is replaced.
void read_headers(const Reading& reading, const Value& value, std::string_view what,
                  Headers& headers) {
    const auto& values = reading.values;
    for (const auto& member : values.members(value, what)) {
        const std::string name = lower_case(member.name);
        std::erase_if(headers, [&](const auto& header) { return header.first == name; });
        if (member.value.is_sequence()) {
            for (const auto& item : values.items(member.value, name)) {
                headers.emplace_back(name, values.text(item, name));
            }
        } else {
            headers.emplace_back(name, values.text(member.value, name));
        }
    }
}

std::string bytes_of(const void* value, std::size_t size) {
    std::string bytes(size, '\0');
    std::memcpy(bytes.data(), value, size);
    return bytes;
}

std::string random_text(std::uint64_t size, std::uint64_t seed) {
    std::string text(size, '\0');
    std::uint64_t state = seed * 0x9E3779B97F4A7C15U + 1;
    for (char& c : text) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        c = static_cast<char>('a' + static_cast<char>((state >> 33) % 26));
    }
    return text;
}

CallReply::Kind read_failure(const Reading& reading, const Value& value) {
    static const std::vector<std::string> names{
        "response", "refused", "reset", "reset_after_headers", "timeout", "timeout_after_headers",
        "garbage",  "overflow"};
    const std::string name = reading.values.word(value, "fail", {names.begin() + 1, names.end()});
    return static_cast<CallReply::Kind>(std::find(names.begin(), names.end(), name) -
                                        names.begin());
}

CallReply read_reply(const Reading& reading, const Value& value) {
    const auto& values = reading.values;
    CallReply reply;
    reply.message.headers = {{":status", "200"}};
    for (const auto& member : values.members(value, "reply",
                                             {"status", "headers", "body", "trailers", "fail",
                                              "delay", "grpc_status", "grpc_message"})) {
        if (member.name == "status") {
            set_header(reply.message.headers, ":status",
                       std::to_string(values.integer(member.value, "status", 100, 999)));
        } else if (member.name == "headers") {
            read_headers(reading, member.value, "headers", reply.message.headers);
        } else if (member.name == "body") {
            reply.message.body = read_body(reading, member.value);
        } else if (member.name == "trailers") {
            read_headers(reading, member.value, "trailers", reply.message.trailers);
        } else if (member.name == "fail") {
            reply.kind = read_failure(reading, member.value);
        } else if (member.name == "delay") {
            reply.delay = values.duration(member.value, "delay");
        } else if (member.name == "grpc_status") {
            reply.grpc_status = static_cast<int>(values.integer(member.value, member.name, 0, 16));
        } else {
            reply.grpc_message = values.text(member.value, member.name);
        }
    }
    return reply;
}

// What `match` asks of a call: the same matchers as in `expect`.
std::function<bool(const Message&)> read_match(const Reading& reading, const Value& value) {
    const auto expected =
        std::make_shared<ExpectedMessage>(read_expected_message(reading, value, "match"));
    return [expected](const Message& message) {
        Expect expect;
        expect.upstream_request = *expected;
        StepObserved seen;
        seen.upstream_request = message;
        std::vector<Failure> failures;
        check_step(expect, seen, {}, "", failures);
        return failures.empty();
    };
}

// What `read` gives; an error of its says where in the test file the value stands.
template <class Read>
std::string at_its_place(const Values& values, const Value& value, const Read& read) {
    try {
        return read();
    } catch (const Error& error) {
        values.fail(value, error.what(), error.hint());
    }
}

// The bytes of a file that the test file names, beside itself.
std::string read_named_file(const Reading& reading, const Value& value) {
    return at_its_place(reading.values, value, [&] {
        return read_file(reading.folder / reading.values.text(value, "file"), body_limit);
    });
}

}  // namespace

std::vector<std::string> read_body(const Reading& reading, const Value& value) {
    const auto& values = reading.values;
    if (!value.is_mapping()) {
        std::string text = values.text(value, "body");
        return text.empty() ? std::vector<std::string>{} : std::vector{std::move(text)};
    }
    std::vector<std::string> chunks;
    std::optional<std::uint64_t> random;
    std::uint64_t seed = 1;
    for (const auto& member :
         values.members(value, "body", {"chunks", "file", "json", "base64", "random", "seed"})) {
        if (member.name == "chunks") {
            for (const auto& item : values.items(member.value, "chunks")) {
                chunks.push_back(values.text(item, "chunk"));
            }
        } else if (member.name == "file") {
            chunks = {read_named_file(reading, member.value)};
        } else if (member.name == "json") {
            chunks = {compact_json(values.json(member.value))};
        } else if (member.name == "base64") {
            chunks = {at_its_place(values, member.value, [&] {
                return base64_decode(values.text(member.value, "base64"));
            })};
        } else if (member.name == "random") {
            random = values.size(member.value, "random");
            if (*random > body_limit) {
                values.fail(member.value, "a random body has at most 64MiB");
            }
        } else {
            seed = static_cast<std::uint64_t>(
                values.integer(member.value, "seed", 0, std::numeric_limits<std::int64_t>::max()));
        }
    }
    if (random) {
        chunks = {random_text(*random, seed)};
    }
    return chunks;
}

std::string read_config(const Reading& reading, const Value& value) {
    if (value.is_mapping()) {
        if (value.node->size() == 1 && value.node->find("file") != nullptr) {
            const auto member = reading.values.members(value, "config").front();
            return read_named_file(reading, member.value);
        }
        return compact_json(reading.values.json(value));
    }
    if (value.is_sequence()) {
        return compact_json(reading.values.json(value));
    }
    return value.is_null() ? "" : reading.values.text(value, "config");
}

Plugin read_plugin(const Reading& reading, const Value& value,
                   const std::optional<std::filesystem::path>& module) {
    const auto& values = reading.values;
    Plugin plugin;
    bool named = false;
    for (const auto& member :
         values.members(value, "plugin", {"wasm", "config", "vm", "name", "root_id"})) {
        if (member.name == "wasm") {
            const std::string path = values.text(member.value, "wasm");
            if (path.starts_with("oci://") || path.starts_with("http")) {
                values.fail(member.value, "a test runs a file",
                            fmt::format("fetch it first: wasmplug pull {} plugin.wasm", path));
            }
            plugin.module = std::filesystem::absolute(reading.folder / path).lexically_normal();
            named = true;
        } else if (member.name == "config") {
            plugin.config = read_config(reading, member.value);
        } else if (member.name == "name") {
            plugin.name = values.text(member.value, "name");
        } else if (member.name == "root_id") {
            plugin.root_id = values.text(member.value, "root_id");
        } else {
            for (const auto& of_vm : values.members(member.value, "vm", {"id", "config", "env"})) {
                if (of_vm.name == "id") {
                    plugin.vm_id = values.text(of_vm.value, "id");
                } else if (of_vm.name == "config") {
                    plugin.vm_config = read_config(reading, of_vm.value);
                } else {
                    plugin.env = read_texts(reading, of_vm.value, "env");
                }
            }
        }
    }
    if (module) {
        plugin.module = std::filesystem::absolute(*module);
    } else if (!named) {
        values.fail(value, "plugin does not say which module to run",
                    "add wasm: build/plugin.wasm, a path beside the test file");
    }
    return plugin;
}

void read_envoy(const Reading& reading, const Value& value, EnvoySettings& settings) {
    const auto& values = reading.values;
    const auto names = [&](const Member& member) {
        std::vector<std::string> list;
        for (const auto& item : values.items(member.value, member.name)) {
            list.push_back(values.text(item, member.name));
        }
        return list;
    };
    for (const auto& member : values.members(
             value, "envoy",
             {"failure_policy", "allow_on_headers_stop_iteration", "buffer_limit", "clusters",
              "clusters_without_hosts", "stream_idle_timeout", "allowed_capabilities"})) {
        if (member.name == "failure_policy") {
            const std::string policy =
                values.word(member.value, member.name, {"fail_closed", "fail_open", "fail_reload"});
            settings.failure_policy = policy == "fail_closed" ? FailurePolicy::closed
                                      : policy == "fail_open" ? FailurePolicy::open
                                                              : FailurePolicy::reload;
        } else if (member.name == "allow_on_headers_stop_iteration") {
            settings.allow_on_headers_stop_iteration = values.boolean(member.value, member.name);
        } else if (member.name == "buffer_limit") {
            settings.buffer_limit = values.size(member.value, member.name);
        } else if (member.name == "clusters") {
            settings.clusters = names(member);
        } else if (member.name == "clusters_without_hosts") {
            settings.clusters_without_hosts = names(member);
        } else if (member.name == "stream_idle_timeout") {
            settings.stream_idle_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(
                values.duration(member.value, member.name));
        } else {
            settings.allowed_capabilities = names(member);
        }
    }
}

void read_limits(const Reading& reading, const Value& value, Limits& limits) {
    const auto& values = reading.values;
    for (const auto& member :
         values.members(value, "limits", {"instructions", "memory", "host_calls"})) {
        constexpr std::int64_t most = 1'000'000'000'000;
        if (member.name == "memory") {
            limits.memory = values.size(member.value, "memory");
        } else if (member.name == "instructions") {
            limits.instructions =
                static_cast<std::uint64_t>(values.integer(member.value, member.name, 1, most));
            limits.instructions_given = true;
        } else {
            limits.host_calls =
                static_cast<std::uint64_t>(values.integer(member.value, member.name, 0, most));
        }
    }
}

void read_request(const Reading& reading, const Value& value, Step& step) {
    const auto& values = reading.values;
    if (!step.request) {
        step.request.emplace();
    }
    auto& message = *step.request;
    for (const auto& member : values.members(value, "request",
                                             {"method", "path", "authority", "host", "scheme",
                                              "headers", "body", "trailers", "client_leaves"})) {
        if (member.name == "headers") {
            read_headers(reading, member.value, "headers", message.headers);
        } else if (member.name == "body") {
            message.body = read_body(reading, member.value);
            // A list of chunks has no length that a client could announce.
            if (member.value.is_mapping() && member.value.node->find("chunks") != nullptr) {
                set_header(message.headers, "transfer-encoding", "chunked");
            }
        } else if (member.name == "trailers") {
            read_headers(reading, member.value, "trailers", message.trailers);
        } else if (member.name == "client_leaves") {
            step.client_leaves = values.duration(member.value, member.name);
        } else {
            set_header(message.headers, ":" + (member.name == "host" ? "authority" : member.name),
                       values.text(member.value, member.name));
        }
    }
}

void read_upstream(const Reading& reading, const Value& value, Step& step) {
    const auto& values = reading.values;
    auto& message = step.upstream;
    for (const auto& member :
         values.members(value, "upstream", {"status", "headers", "body", "trailers", "fail"})) {
        if (member.name == "status") {
            set_header(message.headers, ":status",
                       std::to_string(values.integer(member.value, "status", 100, 999)));
        } else if (member.name == "headers") {
            read_headers(reading, member.value, "headers", message.headers);
        } else if (member.name == "body") {
            message.body = read_body(reading, member.value);
            if (member.value.is_mapping() && member.value.node->find("chunks") != nullptr &&
                !has(message.headers, "content-length")) {
                set_header(message.headers, "transfer-encoding", "chunked");
            }
        } else if (member.name == "trailers") {
            read_headers(reading, member.value, "trailers", message.trailers);
        } else {
            values.word(member.value, "fail", {"reset"});
            step.upstream_resets = true;
        }
    }
    if (has(message.headers, "content-length")) {
        std::erase_if(message.headers,
                      [](const auto& header) { return header.first == "transfer-encoding"; });
    }
}

void complete_request(Message& message) {
    Headers pseudo;
    const auto take = [&](const std::string& name, const std::string& otherwise) {
        const std::string given = first_header(message.headers, name);
        pseudo.emplace_back(name, has(message.headers, name) ? given : otherwise);
        std::erase_if(message.headers, [&](const auto& header) { return header.first == name; });
    };
    take(":authority",
         has(message.headers, "host") ? first_header(message.headers, "host") : default_authority);
    std::erase_if(message.headers, [](const auto& header) { return header.first == "host"; });
    take(":path", "/");
    take(":method", message.body.empty() ? "GET" : "POST");
    take(":scheme", "http");
    message.headers.insert(message.headers.begin(), pseudo.begin(), pseudo.end());
    if (!message.body.empty() && !has(message.headers, "content-length") &&
        !has(message.headers, "transfer-encoding") && message.trailers.empty()) {
        message.headers.emplace_back("content-length", std::to_string(message.whole_body().size()));
    }
}

void complete_response(Message& message) {
    const std::string status = first_header(message.headers, ":status");
    std::erase_if(message.headers, [](const auto& header) { return header.first == ":status"; });
    message.headers.insert(message.headers.begin(), {":status", status.empty() ? "200" : status});
    if (!has(message.headers, "content-length") && !has(message.headers, "transfer-encoding") &&
        message.trailers.empty()) {
        message.headers.emplace_back("content-length", std::to_string(message.whole_body().size()));
    }
}

std::vector<CallTarget> read_calls(const Reading& reading, const Value& value) {
    const auto& values = reading.values;
    std::vector<CallTarget> calls;
    for (const auto& item : values.items(value, "calls")) {
        CallTarget call;
        for (const auto& member :
             values.members(item, "a call", {"cluster", "grpc", "match", "reply", "times"})) {
            if (member.name == "cluster") {
                call.cluster = values.text(member.value, "cluster");
            } else if (member.name == "grpc") {
                call.grpc = values.boolean(member.value, "grpc");
            } else if (member.name == "match") {
                call.matches = read_match(reading, member.value);
                call.matches_scheme = member.value.node->find("scheme") != nullptr;
            } else if (member.name == "reply") {
                call.reply = read_reply(reading, member.value);
            } else {
                call.times = static_cast<int>(values.integer(member.value, "times", 0, 1'000'000));
            }
        }
        if (call.cluster.empty()) {
            values.fail(item, "a call has to name its cluster");
        }
        calls.push_back(std::move(call));
    }
    return calls;
}

std::map<std::string, std::string> read_properties(const Reading& reading, const Value& value) {
    const auto& values = reading.values;
    std::map<std::string, std::string> properties;
    for (const auto& member : values.members(value, "properties")) {
        const auto& given = member.value;
        const auto type = given.node == nullptr ? yaml::Type::string : given.node->type();
        std::string bytes;
        if (type == yaml::Type::integer) {
            const auto number =
                values.integer(given, member.name, std::numeric_limits<std::int64_t>::min(),
                               std::numeric_limits<std::int64_t>::max());
            bytes = bytes_of(&number, sizeof number);
        } else if (type == yaml::Type::number) {
            const double number = values.number(given, member.name);
            bytes = bytes_of(&number, sizeof number);
        } else if (type == yaml::Type::boolean) {
            bytes = std::string(1, given.node->as_bool().value_or(false) ? '\1' : '\0');
        } else if (given.is_scalar()) {
            bytes = values.text(given, member.name);
        } else {
            values.fail(given, "a property has to be text, a number or a boolean",
                        "name one value: request.headers.x-a");
        }
        properties[member.name] = std::move(bytes);
    }
    return properties;
}

std::map<std::string, std::uint32_t> read_refusals(const Reading& reading, const Value& value) {
    const auto& values = reading.values;
    const auto& names = status_names();
    std::map<std::string, std::uint32_t> refusals;
    for (const auto& member : values.members(value, "refuse")) {
        if (!member.name.starts_with("proxy_")) {
            values.fail(*member.key, fmt::format("'{}' is no host function", member.name),
                        "name one of the ABI: proxy_http_call");
        }
        const std::string status =
            values.word(member.value, member.name, {names.begin() + 1, names.end()});
        refusals[member.name] = static_cast<std::uint32_t>(
            std::find(names.begin(), names.end(), status) - names.begin());
    }
    return refusals;
}

std::map<std::string, std::string> read_texts(const Reading& reading, const Value& value,
                                              std::string_view what) {
    std::map<std::string, std::string> texts;
    for (const auto& member : reading.values.members(value, what)) {
        texts[member.name] = reading.values.text(member.value, member.name);
    }
    return texts;
}

}  // namespace wasmplug::plugintest
