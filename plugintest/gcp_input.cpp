#include "plugintest/gcp_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/terminal.hpp"
#include "base/text.hpp"
#include "plugintest/case.hpp"

namespace wasmplug::plugintest {
namespace {

using nlohmann::ordered_json;

std::string placed(const std::filesystem::path& path, const ProtoText& at,
                   const std::string& what) {
    return fmt::format("{}:{}:{}: {}", path.string(), at.line, at.column, what);
}

// "GET /x HTTP/1.1" or "HTTP/1.1 200 OK", and the lines below.
GivenHeaders wire_headers(const GcpFile& file, const ProtoText& at, const std::string& content,
                          bool is_request) {
    GivenHeaders headers;
    std::istringstream lines(content);
    std::string line;
    std::getline(lines, line);
    std::istringstream words(line);
    std::string first;
    std::string second;
    words >> first >> second;
    if (second.empty() || first.starts_with("HTTP/") == is_request) {
        file.fail(
            at,
            fmt::format("'{}' is no {} line", printable(line), is_request ? "request" : "status"),
            is_request ? "headers as text begin with GET /path HTTP/1.1"
                       : "headers as text begin with HTTP/1.1 200 OK");
    }
    if (!is_request) {
        headers.push_back({":status", second, &at});
    } else {
        headers.push_back({":method", first, &at});
        if (const auto url = parse_url(second)) {
            const auto from = second.find("://") + 3;
            const auto to = second.find('/', from);
            headers.push_back({":scheme", url->scheme, &at});
            headers.push_back({":authority", second.substr(from, to - from), &at});
            second = to == std::string::npos ? "/" : second.substr(to);
        }
        headers.push_back({":path", second, &at});
    }
    while (std::getline(lines, line)) {
        line.erase(line.find_last_not_of(" \t\r") + 1);
        if (line.empty()) {
            break;
        }
        const auto colon = line.find(':');
        if (colon == std::string::npos || colon == 0) {
            file.fail(at, fmt::format("'{}' is no header line", printable(line)),
                      "write name: value");
        }
        const auto value = line.find_first_not_of(" \t", colon + 1);
        auto name = lower_case(line.substr(0, colon));
        const bool known = std::any_of(headers.begin(), headers.end(),
                                       [](const auto& each) { return each.name == ":authority"; });
        if (name == "host" && known) {
            continue;  // the absolute form's is the one
        }
        name = name == "host" ? ":authority" : name;
        headers.push_back({name, value == std::string::npos ? "" : line.substr(value), &at});
    }
    return headers;
}

// num_chunks, chunk_size: how the tester cuts the input of a body. What does not divide
// evenly is the last of num_chunks, and a shorter one behind those of chunk_size.
std::vector<std::string> cut(const GcpFile& file, const ProtoText& test, const std::string& body) {
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());
    std::size_t size = 0;
    std::size_t count = std::numeric_limits<std::size_t>::max();
    if (const auto* field = test.find("num_chunks")) {
        count = file.number(*field, 1, most);
        size = std::max<std::size_t>(1, body.size() / count);
    } else if (const auto* field_size = test.find("chunk_size")) {
        size = file.number(*field_size, 1, most);
    }
    if (size == 0) {
        return {body};
    }
    std::vector<std::string> chunks;
    for (std::size_t at = 0; at < body.size();) {
        const bool is_last = chunks.size() + 1 == count;
        chunks.push_back(body.substr(at, is_last ? std::string::npos : size));
        at += chunks.back().size();
    }
    return chunks;
}

}  // namespace

void GcpFile::note(const ProtoText& at, const std::string& what) {
    notes_.push_back(placed(path_, at, what));
}

void GcpFile::fail(const ProtoText& at, const std::string& what, const std::string& hint) const {
    throw Error(placed(path_, at, what), hint);
}

std::string GcpFile::beside(const ProtoText& field) const {
    try {
        return read_file(path_.parent_path() / field.value, std::size_t{64} << 20);
    } catch (const Error& error) {
        fail(field, error.what(), "a relative path starts at the file that names it");
    }
}

std::uint64_t GcpFile::number(const ProtoText& field, std::uint64_t least,
                              std::uint64_t most) const {
    std::uint64_t value = 0;
    const auto* end = field.value.data() + field.value.size();
    const auto [stop, error] = std::from_chars(field.value.data(), end, value);
    if (error != std::errc() || stop != end || value < least || value > most) {
        fail(field,
             fmt::format("{} has to be a whole number from {} to {}", field.name, least, most));
    }
    return value;
}

std::optional<std::string> GcpFile::text_of(const ProtoText& at, const std::string& bytes) {
    if (is_text(bytes)) {
        return bytes;
    }
    note(at, fmt::format("{} holds bytes that are no text, and is left out", at.name));
    return std::nullopt;
}

bool is_text(const std::string& bytes) {
    try {
        const auto json = ordered_json(bytes).dump();
        return json.find("\\u00") == std::string::npos;
    } catch (const nlohmann::json::exception&) {
        return false;
    }
}

const char* plain_name(const std::string& pseudo) {
    return pseudo == ":method"      ? "method"
           : pseudo == ":path"      ? "path"
           : pseudo == ":authority" ? "authority"
           : pseudo == ":scheme"    ? "scheme"
           : pseudo == ":status"    ? "status"
                                    : nullptr;
}

GivenHeaders gcp_headers_of(const GcpFile& file, const ProtoText* phase, bool is_request) {
    GivenHeaders headers;
    const auto* input = phase == nullptr ? nullptr : phase->find("input");
    if (input == nullptr) {
        return headers;
    }
    const auto* named = input->find("file");
    const auto* content = input->find("content");
    if (named != nullptr && !named->value.empty()) {
        return wire_headers(file, *named, file.beside(*named), is_request);
    }
    if (content != nullptr && !content->value.empty()) {
        return wire_headers(file, *content, content->value, is_request);
    }
    for (const auto* header : input->all("header")) {
        headers.push_back({lower_case(header->text("key")), header->text("value"), header});
    }
    return headers;
}

void add_gcp_body(GcpFile& file, const ProtoText& test, std::string_view phase,
                  const GivenHeaders& headers, ordered_json& message) {
    std::vector<std::string> chunks;
    std::string all;
    for (const auto* part : test.all(phase)) {
        const auto* input = part->find("input");
        std::string body = input == nullptr ? "" : input->text("content");
        const auto* named = input == nullptr ? nullptr : input->find("file");
        if (named != nullptr && !named->value.empty()) {
            body = file.beside(*named);
        }
        for (auto& chunk : cut(file, test, body)) {
            if (!chunk.empty()) {
                all += chunk;
                chunks.push_back(std::move(chunk));
            }
        }
    }
    for (const auto& header : headers) {
        if (header.name == "content-length" && !all.empty() &&
            header.value != std::to_string(all.size())) {
            file.note(*header.at, fmt::format("content-length {} is not the body's {}: Envoy cuts "
                                              "the body there, or waits for the rest",
                                              header.value, all.size()));
        }
    }
    if (!is_text(all)) {
        message["body"] = {{"base64", base64_encode(all)}};
    } else if (chunks.size() == 1) {
        message["body"] = chunks.front();
    } else if (!chunks.empty()) {
        const bool whole = std::all_of(chunks.begin(), chunks.end(), is_text);
        message["body"] = whole ? ordered_json{{"chunks", chunks}} : ordered_json(all);
    }
}

ordered_json gcp_message_of(GcpFile& file, const GivenHeaders& headers, bool is_request,
                            std::string& skip) {
    ordered_json message = ordered_json::object();
    ordered_json others = ordered_json::object();
    for (const auto& [name, value, at] : headers) {
        const auto* plain = plain_name(name);
        if (name.starts_with(':') && (plain == nullptr || (name == ":status") == is_request)) {
            skip = fmt::format("no proxy lets '{}' pass in a {}", name,
                               is_request ? "request" : "response");
            file.note(*at, skip + ": the test is skipped");
        } else if (!is_text(name) || !is_text(value)) {
            skip = fmt::format("the value of {} is no text", printable(name));
            file.note(*at, skip + ": the test is skipped");
        } else if (name == ":status") {
            int status = 0;
            const auto* end = value.data() + value.size();
            const auto [stop, error] = std::from_chars(value.data(), end, status);
            if (error != std::errc() || stop != end || status < 100 || status > 999) {
                file.fail(*at, fmt::format("'{}' is no status", printable(value)));
            }
            message["status"] = status;
        } else if (plain != nullptr) {
            message[plain] = value;
        } else if (!others.contains(name)) {
            others[name] = value;
        } else {
            if (!others[name].is_array()) {
                others[name] = ordered_json::array({others[name]});
            }
            others[name].push_back(value);
        }
    }
    if (!others.empty()) {
        message["headers"] = std::move(others);
    }
    return message;
}

ordered_json gcp_properties_of(GcpFile& file, const ProtoText& test, std::string& skip) {
    ordered_json properties = ordered_json::object();
    for (const auto* property : test.all("properties")) {
        const auto path = property->text("path");
        const auto value = property->text("value");
        std::int64_t whole = 0;
        if (is_text(path) && is_text(value)) {
            properties[path] = value;
        } else if (is_text(path) && value.size() == sizeof whole) {
            std::memcpy(&whole, value.data(), sizeof whole);
            properties[path] = whole;
        } else if (is_text(path) && value.size() == 1 && value[0] >= 0 && value[0] <= 1) {
            properties[path] = value[0] == 1;
        } else {
            skip = fmt::format("the property {} is neither text nor a number", printable(path));
            file.note(*property, skip + ": the test is skipped");
        }
    }
    return properties;
}

}  // namespace wasmplug::plugintest
