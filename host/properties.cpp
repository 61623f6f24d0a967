// Attributes of a stream as proxy_get_property gives them: Envoy's CEL attributes, with what
// envoy-observed found of them. The test's `properties` stand before all of these.

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "host/imports.hpp"
#include "host/pairs.hpp"
#include "host/stream.hpp"

namespace wasmplug::host {
namespace {

// Either a value, or why there is none.
struct Property {
    Status status = Status::not_found;
    std::string value;
};

Property text(std::string value) {
    return {Status::ok, std::move(value)};
}

Property number(std::int64_t value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return {Status::ok, std::move(bytes)};
}

Property truth(bool value) {
    return {Status::ok, std::string(1, value ? '\1' : '\0')};
}

constexpr Status not_a_value = Status::serialization_failure;  // of a whole object

struct View {
    Vm& vm;
    Filter* filter;
    std::string_view rest;  // below the first part of the path, "." between parts

    const Headers* map(MapType type) const {
        return filter == nullptr ? nullptr : filter->map(type, false);
    }
};

Property header_of(const Headers* map, std::string_view name) {
    if (map == nullptr) {
        return {};
    }
    const std::string lower = lower_case(name);
    for (const auto& [each, value] : *map) {
        if (each == lower) {
            return text(value);
        }
    }
    return {};
}

Property headers_property(const Headers* map, std::string_view rest) {
    constexpr std::string_view prefix = "headers";
    if (rest.size() > prefix.size() && rest[prefix.size()] == '.') {
        return header_of(map, rest.substr(prefix.size() + 1));
    }
    return map == nullptr ? Property{} : text(serialize_pairs(*map));
}

std::int64_t bytes_of(const Headers& headers) {
    std::int64_t bytes = 0;
    for (const auto& [name, value] : headers) {
        bytes += static_cast<std::int64_t>(name.size() + value.size());
    }
    return bytes;
}

Property request_property(const View& view) {
    const Headers* headers = view.map(MapType::request_headers);
    const std::string_view name = view.rest;
    if (name.empty()) {
        return {not_a_value, {}};
    }
    if (view.filter == nullptr) {
        return {};
    }
    const Stream& stream = view.filter->stream();
    const auto& message = stream.message(Way::request);
    if (name == "time") {
        return number(stream.started_at().count());
    }
    if (name == "protocol") {
        return text("HTTP/1.1");
    }
    if (name == "duration") {
        return stream.over() ? number((view.vm.world().now - stream.started_at()).count())
                             : Property{};
    }
    if (name == "size" || name == "total_size") {
        std::int64_t size = static_cast<std::int64_t>(message.whole_body().size());
        if (name == "total_size") {
            size += bytes_of(message.headers);
        }
        return number(size);
    }
    if (name.starts_with("headers")) {
        return headers_property(headers, name);
    }
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> from_header{{
        {"path", ":path"},
        {"host", ":authority"},
        {"scheme", ":scheme"},
        {"method", ":method"},
        {"referer", "referer"},
        {"useragent", "user-agent"},
        {"id", "x-request-id"},
    }};
    for (const auto& [attribute, header] : from_header) {
        if (name == attribute) {
            return header_of(headers, header);
        }
    }
    if (name == "url_path" || name == "query") {
        auto path = header_of(headers, ":path");
        const auto mark = path.value.find('?');
        if (name == "url_path") {
            path.value = path.value.substr(0, mark);
        } else {
            path.value = mark == std::string::npos ? "" : path.value.substr(mark + 1);
            path.value = path.value.substr(0, path.value.find('#'));
        }
        return path;
    }
    return {};
}

Property response_property(const View& view) {
    const std::string_view name = view.rest;
    if (name.empty()) {
        return {not_a_value, {}};
    }
    if (view.filter == nullptr || !view.filter->stream().response_started()) {
        return {};
    }
    const Stream& stream = view.filter->stream();
    const auto& message = stream.message(Way::response);
    if (name == "code") {
        const auto status = stream.response_code();
        return status ? number(*status) : Property{};
    }
    if (name == "code_details") {
        return stream.details().empty() ? Property{} : text(stream.details());
    }
    if (name == "flags") {
        return number(0);
    }
    if (name == "grpc_status") {
        const std::string status = plugintest::first_header(message.headers, "grpc-status");
        return status.empty() ? Property{} : number(std::atoi(status.c_str()));
    }
    if (name == "size" || name == "total_size") {
        std::int64_t size = static_cast<std::int64_t>(message.whole_body().size());
        if (name == "total_size") {
            size += bytes_of(message.headers);
        }
        return number(size);
    }
    if (name.starts_with("headers")) {
        return headers_property(view.map(MapType::response_headers), name);
    }
    constexpr std::string_view trailers = "trailers.";
    if (name.starts_with(trailers)) {
        return header_of(view.map(MapType::response_trailers), name.substr(trailers.size()));
    }
    return {};
}

Property address_property(std::string_view name, const std::string& host, std::int64_t port) {
    if (name.empty()) {
        return {not_a_value, {}};
    }
    return name == "address" ? text(host + ":" + std::to_string(port))
           : name == "port"  ? number(port)
                             : Property{};
}

Property connection_property(const View& view) {
    const std::string_view name = view.rest;
    if (name.empty()) {
        return {not_a_value, {}};
    }
    if (name == "id") {
        return number(static_cast<std::int64_t>(view.filter->stream().id()));
    }
    if (name == "mtls") {
        return truth(false);
    }
    return name == "requested_server_name" ? text("") : Property{};
}

Property xds_property(std::string_view name) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> texts{{
        {"cluster_name", "upstream"},
        {"route_name", "default"},
        {"virtual_host_name", "local"},
        {"node.id", "wasmplug"},
        {"node.cluster", "wasmplug"},
        {"filter_chain_name", ""},
        {"upstream_host_locality.zone", ""},
    }};
    for (const auto& [attribute, value] : texts) {
        if (name == attribute) {
            return text(std::string(value));
        }
    }
    if (name == "listener_direction") {
        return number(0);
    }
    return name.empty() ? Property{not_a_value, {}} : Property{};
}

Property plugin_property(const View& view, std::string_view name) {
    const Root* root = view.vm.root();
    const auto& plugin = root == nullptr ? view.vm.plugin() : *root->plugin;
    return name == "plugin_name"      ? text(plugin.name)
           : name == "plugin_root_id" ? text(plugin.root_id)
                                      : text(plugin.vm_id);
}

// What set_property stored: under its own name when that is one part, and in the filter state
// behind "wasm.". What was stored under a name of several parts cannot be read at all.
std::optional<std::string> stored(const View& view, std::string_view raw) {
    using namespace std::string_view_literals;
    constexpr auto prefix = "filter_state\0wasm."sv;
    if (raw.starts_with(prefix)) {
        raw.remove_prefix(prefix.size());
    }
    if (view.filter == nullptr || raw.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    const auto& state = view.filter->stream().filter_state;
    const auto found = state.find(std::string(raw));
    return found == state.end() ? std::nullopt : std::optional(found->second);
}

Property look_up(const View& view, std::string_view first, const std::string& path) {
    if (first == "request") {
        return request_property(view);
    }
    if (first == "response") {
        return response_property(view);
    }
    if (path == "plugin_name" || path == "plugin_root_id" || path == "plugin_vm_id") {
        return plugin_property(view, path);
    }
    if (first == "filter_state" && view.rest.empty()) {
        return {not_a_value, {}};
    }
    if (path == "metadata" || path == "xds.cluster_metadata") {
        return text("");  // an empty message
    }
    if (first == "xds") {
        return xds_property(view.rest);
    }
    if (view.filter == nullptr) {
        return {};
    }
    constexpr std::int64_t client_port = 40000;
    constexpr std::int64_t listener_port = 10000;
    constexpr std::int64_t upstream_port = 8080;
    if (first == "source") {
        return address_property(view.rest, "127.0.0.1", client_port);
    }
    if (first == "destination") {
        return address_property(view.rest, "127.0.0.1", listener_port);
    }
    if (first == "upstream") {
        return view.filter->stream().details() == "via_upstream"
                   ? address_property(view.rest, "127.0.0.1", upstream_port)
                   : Property{};
    }
    if (first == "connection") {
        return connection_property(view);
    }
    if (path == "connection_id") {
        return number(static_cast<std::int64_t>(view.filter->stream().id()));
    }
    return {};
}

std::string dotted(std::string_view path) {
    while (!path.empty() && path.back() == '\0') {
        path.remove_suffix(1);
    }
    std::string name(path);
    std::replace(name.begin(), name.end(), '\0', '.');
    return name;
}

}  // namespace

std::uint64_t get_property(Vm& vm, Arguments a) {
    const auto bytes = vm.read(a[0], a[1]);
    if (!bytes) {
        return code(Status::invalid_memory_access);
    }
    const std::string path = dotted(*bytes);
    if (path.empty()) {
        return code(not_a_value);
    }
    const auto& given = vm.world().test.properties;
    if (const auto found = given.find(path); found != given.end()) {
        return code(vm.give(found->second, a[2], a[3]));
    }
    const auto dot = path.find('.');
    const View view{
        vm, vm.filter(),
        dot == std::string::npos ? std::string_view() : std::string_view(path).substr(dot + 1)};
    if (const auto value = stored(view, *bytes)) {
        return code(vm.give(*value, a[2], a[3]));
    }
    const Property property = look_up(view, std::string_view(path).substr(0, dot), path);
    return code(property.status == Status::ok ? vm.give(property.value, a[2], a[3])
                                              : property.status);
}

std::uint64_t set_property(Vm& vm, Arguments a) {
    const auto path = vm.read(a[0], a[1]);
    const auto value = vm.read(a[2], a[3]);
    if (!path || !value) {
        return code(Status::invalid_memory_access);
    }
    Filter* filter = vm.filter();
    if (filter == nullptr) {
        return code(Status::not_found);
    }
    filter->stream().filter_state[std::string(*path)] = std::string(*value);
    return code(Status::ok);
}

}  // namespace wasmplug::host
