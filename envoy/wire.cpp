#include "envoy/wire.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.hpp"

namespace wasmplug::envoy {
namespace {

using plugintest::Message;

constexpr std::size_t line_limit = std::size_t{256} << 10;

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool parse_size(std::string_view text, int base, std::size_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc() && end != text.data();
}

}  // namespace

void WireReader::start_line(std::string_view text) {
    const std::size_t first = text.find(' ');
    if (first == std::string_view::npos) {
        state_ = State::broken;
        return;
    }
    started_ = true;
    if (kind_ == Kind::request) {
        // A plugin may have put blanks into method and path, and Envoy sends them as they are: a
        // path begins with a slash, and the version is what comes last.
        const std::size_t slash = text.find(" /");
        const std::size_t method = slash == std::string_view::npos ? first : slash;
        const std::size_t path = std::max(text.rfind(' '), method + 1);
        message_.headers = {{":method", std::string(text.substr(0, method))},
                            {":path", std::string(text.substr(method + 1, path - method - 1))}};
    } else {
        // A plugin's own status may have more or fewer digits than three.
        const std::size_t end = text.find(' ', first + 1);
        message_.headers = {{":status", std::string(text.substr(first + 1, end - first - 1))}};
        if (!text.starts_with("HTTP/1.")) {
            state_ = State::broken;
        }
    }
}

void WireReader::field(Message& message, std::string_view text, bool trailer) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
        state_ = State::broken;
        return;
    }
    const std::string name = lower_case(text.substr(0, colon));
    const std::string value(trimmed(text.substr(colon + 1)));
    if (trailer) {
        message.trailers.emplace_back(name, value);
    } else if (kind_ == Kind::request && name == "host") {
        message.headers.insert(message.headers.begin() + 2, {":authority", value});
    } else {
        message.headers.emplace_back(name, value);
    }
}

void WireReader::body_begins() {
    const std::string status = plugintest::first_header(message_.headers, ":status");
    if (status.size() == 3 &&
        status.starts_with('1')) {  // 100 Continue, 103 Early Hints: the answer comes after it
        message_ = {};
        started_ = false;
        return;
    }
    headers_complete_ = true;
    const std::string coding = plugintest::first_header(message_.headers, "transfer-encoding");
    const std::string length = plugintest::first_header(message_.headers, "content-length");
    if (head_ || status == "204" || status == "304") {
        state_ = State::done;
    } else if (lower_case(coding).find("chunked") != std::string::npos) {
        state_ = State::chunk_size;
        std::erase_if(message_.headers,
                      [](const auto& header) { return header.first == "transfer-encoding"; });
    } else if (!length.empty()) {
        state_ = parse_size(length, 10, left_) ? State::sized : State::broken;
        if (state_ == State::sized && left_ == 0) {
            state_ = State::done;
        }
    } else {
        state_ = kind_ == Kind::request ? State::done : State::until_close;
    }
}

void WireReader::line(std::string_view text) {
    switch (state_) {
        case State::headers:
            if (!started_) {
                start_line(text);
            } else if (text.empty()) {
                body_begins();
            } else {
                field(message_, text, false);
            }
            break;
        case State::chunk_size:
            if (text.empty()) {
                break;  // ends the chunk before
            }
            if (!parse_size(text, 16, left_)) {
                state_ = State::broken;
            } else {
                state_ = left_ == 0 ? State::trailers : State::chunk;
            }
            break;
        case State::trailers:
            if (text.empty()) {
                state_ = State::done;
            } else {
                field(message_, text, true);
            }
            break;
        default:
            break;
    }
}

void WireReader::add_body(std::string_view bytes) {
    if (message_.body.empty()) {
        message_.body.emplace_back();
    }
    message_.body.front() += bytes;
}

std::string_view WireReader::feed(std::string_view bytes) {
    while (!bytes.empty() && state_ != State::done && state_ != State::broken) {
        if (state_ == State::until_close) {
            add_body(bytes);
            return {};
        }
        if (state_ == State::sized || state_ == State::chunk) {
            const std::size_t taken = std::min(left_, bytes.size());
            add_body(bytes.substr(0, taken));
            bytes.remove_prefix(taken);
            left_ -= taken;
            if (left_ == 0) {
                state_ = state_ == State::sized ? State::done : State::chunk_size;
            }
            continue;
        }
        const std::size_t end = bytes.find('\n');
        line_ += bytes.substr(0, end);
        if (line_.size() > line_limit) {
            state_ = State::broken;
        }
        if (end == std::string_view::npos) {
            return {};
        }
        bytes.remove_prefix(end + 1);
        if (line_.ends_with('\r')) {
            line_.pop_back();
        }
        line(std::exchange(line_, {}));
    }
    return bytes;
}

void WireReader::close() {
    if (state_ == State::until_close) {
        state_ = State::done;
    } else if (state_ != State::done) {
        state_ = State::broken;
    }
}

std::vector<std::string> wire_pieces(const Message& message, WireReader::Kind kind) {
    std::string head;
    const auto value = [&](const char* name) {
        return plugintest::first_header(message.headers, name);
    };
    if (kind == WireReader::Kind::request) {
        head = fmt::format("{} {} HTTP/1.1\r\nhost: {}\r\n", value(":method"), value(":path"),
                           value(":authority"));
    } else {
        head = fmt::format("HTTP/1.1 {} \r\n", value(":status"));
    }
    for (const auto& [name, text] : message.headers) {
        if (!name.starts_with(':') && name != "host" && name != "transfer-encoding") {
            head += fmt::format("{}: {}\r\n", name, text);
        }
    }
    const bool sized = !value("content-length").empty() && message.trailers.empty();
    const bool chunked = !sized && (!message.body.empty() || !message.trailers.empty());
    if (chunked) {
        head += "transfer-encoding: chunked\r\n";
    } else if (!sized && kind == WireReader::Kind::response) {
        head += "content-length: 0\r\n";
    }
    std::vector<std::string> pieces{head + "\r\n"};
    for (const auto& chunk : message.body) {
        if (!chunk.empty()) {
            pieces.push_back(chunked ? fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk) : chunk);
        }
    }
    if (chunked) {
        std::string end = "0\r\n";
        for (const auto& [name, text] : message.trailers) {
            end += fmt::format("{}: {}\r\n", name, text);
        }
        pieces.push_back(end + "\r\n");
    }
    return pieces;
}

}  // namespace wasmplug::envoy
