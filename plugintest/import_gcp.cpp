#include "plugintest/import_gcp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"
#include "base/yaml_write.hpp"
#include "plugintest/case.hpp"
#include "plugintest/text_format.hpp"

namespace wasmplug::plugintest {
namespace {

using nlohmann::ordered_json;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    return text;
}

bool is_true(const ProtoText& message, std::string_view field) {
    const std::string text = message.text(field);
    return text == "true" || text == "True" || text == "t" || text == "1";
}

// Text that YAML can carry: UTF-8 without control characters.
bool is_text(const std::string& bytes) {
    try {
        const auto json = ordered_json(bytes).dump();
        return json.find("\\u00") == std::string::npos;
    } catch (const nlohmann::json::exception&) {
        return false;
    }
}

// Names of pseudo headers in a test file.
const char* plain_name(const std::string& pseudo) {
    return pseudo == ":method"      ? "method"
           : pseudo == ":path"      ? "path"
           : pseudo == ":authority" ? "authority"
           : pseudo == ":scheme"    ? "scheme"
           : pseudo == ":status"    ? "status"
                                    : nullptr;
}

class Importer {
  public:
    explicit Importer(const std::filesystem::path& path) : path_(path) {}

    Imported run(const std::string& module) {
        const std::string text = read_file(path_, std::size_t{16} << 20);
        const auto extension = path_.extension();
        const ProtoText suite =
            extension == ".yaml" || extension == ".yml"
                ? proto_text_of(yaml::File::parse(text, path_.string()).checked())
                : parse_proto_text(text, path_.string());
        if (suite.all("test").empty()) {
            throw Error(fmt::format("{} has no test", path_.string()),
                        "it is read as the Service Extensions tester's TestSuite");
        }
        ordered_json out{{"wasmplug", 1}};
        environment(suite, module, out);
        auto tests = ordered_json::array();
        auto bench = ordered_json::array();
        for (const auto* test : suite.all("test")) {
            tests.push_back(one_test(*test));
            if (is_true(*test, "benchmark")) {
                bench.push_back({{"name", tests.back()["name"]}, {"use", tests.back()["name"]}});
            }
        }
        out["tests"] = std::move(tests);
        if (!bench.empty()) {
            out["bench"] = std::move(bench);
        }
        return {.yaml = yaml::write(out), .notes = std::move(notes_)};
    }

  private:
    void note(const ProtoText& at, const std::string& what) {
        notes_.push_back(fmt::format("{}:{}: {}", path_.string(), at.line, what));
    }

    std::string beside(const std::string& file) const {
        return read_file(path_.parent_path() / file, std::size_t{64} << 20);
    }

    void environment(const ProtoText& suite, const std::string& module, ordered_json& out) {
        ordered_json plugin{{"wasm", module}};
        for (const auto* name : {"env", "runtime"}) {  // the second is an older spelling
            const auto* env = suite.find(name);
            if (env == nullptr) {
                continue;
            }
            if (const auto wasm = env->text("wasm_path"); !wasm.empty()) {
                plugin["wasm"] = wasm;
            }
            if (const auto config = env->text("config_path"); !config.empty()) {
                plugin["config"] = {{"file", config}};
            }
            if (const auto seconds = env->text("time_secs"); !seconds.empty()) {
                const auto time = WallClock::time_point(
                    std::chrono::seconds(std::strtoll(seconds.c_str(), nullptr, 10)));
                out["defaults"] = {{"clock", format_time(time)}};
            }
            for (const auto& field : env->fields) {
                if (field.name == "num_additional_streams" ||
                    field.name == "additional_stream_advance_rate") {
                    note(field, field.name + ": no further streams run beside a test");
                }
            }
        }
        ordered_json first{{"wasmplug", out["wasmplug"]}, {"plugin", std::move(plugin)}};
        first.update(out);
        out = std::move(first);
    }

    // The headers of a phase's input, pseudo headers among them, names in lower case.
    Headers headers_of(const ProtoText* phase) {
        Headers headers;
        const auto* input = phase == nullptr ? nullptr : phase->find("input");
        if (input == nullptr) {
            return headers;
        }
        std::string content = input->text("content");
        if (const auto file = input->text("file"); !file.empty()) {
            content = beside(file);
        }
        if (!content.empty()) {
            return wire_headers(content);
        }
        for (const auto* header : input->all("header")) {
            headers.emplace_back(lower(header->text("key")), header->text("value"));
        }
        return headers;
    }

    // "GET /x HTTP/1.1" or "HTTP/1.1 200 OK", and the lines below.
    static Headers wire_headers(const std::string& content) {
        Headers headers;
        std::istringstream lines(content);
        std::string line;
        std::getline(lines, line);
        std::istringstream words(line);
        std::string first;
        std::string second;
        words >> first >> second;
        if (first.starts_with("HTTP/")) {
            headers.emplace_back(":status", second);
        } else {
            headers.emplace_back(":method", first);
            if (const auto url = parse_url(second)) {
                const auto at = second.find('/', second.find("://") + 3);
                const auto host = second.substr(0, at).substr(second.find("://") + 3);
                headers.emplace_back(":scheme", url->scheme);
                headers.emplace_back(":authority", host);
                second = at == std::string::npos ? "/" : second.substr(at);
            }
            headers.emplace_back(":path", second);
        }
        while (std::getline(lines, line) && line.find(':') != std::string::npos) {
            line.erase(line.find_last_not_of(" \t\r") + 1);
            const auto colon = line.find(':');
            const auto value = line.find_first_not_of(" \t", colon + 1);
            auto name = lower(line.substr(0, colon));
            const bool known = std::any_of(headers.begin(), headers.end(), [](const auto& each) {
                return each.first == ":authority";
            });
            if (name == "host" && known) {
                continue;  // the absolute form's is the one
            }
            name = name == "host" ? ":authority" : name;
            headers.emplace_back(name, value == std::string::npos ? "" : line.substr(value));
        }
        return headers;
    }

    // num_chunks, chunk_size: how the tester cuts the input of a body.
    static std::vector<std::string> cut(const ProtoText& test, const std::string& body) {
        const auto number = [&](const char* field) {
            return static_cast<std::size_t>(std::strtoull(test.text(field).c_str(), nullptr, 10));
        };
        std::size_t size = number("chunk_size");
        if (const std::size_t count = number("num_chunks"); count > 0) {
            size = std::max<std::size_t>(1, (body.size() + count - 1) / count);
        }
        std::vector<std::string> chunks;
        for (std::size_t at = 0; size > 0 && at < body.size(); at += size) {
            chunks.push_back(body.substr(at, size));
        }
        return chunks.empty() ? std::vector<std::string>{body} : chunks;
    }

    void add_body(const ProtoText& test, std::string_view phase, ordered_json& message) {
        std::vector<std::string> chunks;
        for (const auto* part : test.all(phase)) {
            const auto* input = part->find("input");
            std::string body = input == nullptr ? "" : input->text("content");
            if (input != nullptr && !input->text("file").empty()) {
                body = beside(input->text("file"));
            }
            for (auto& chunk : cut(test, body)) {
                if (!chunk.empty()) {
                    chunks.push_back(std::move(chunk));
                }
            }
        }
        const bool binary = std::any_of(chunks.begin(), chunks.end(),
                                        [](const auto& chunk) { return !is_text(chunk); });
        if (binary) {
            std::string all;
            for (const auto& chunk : chunks) {
                all += chunk;
            }
            message["body"] = {{"base64", base64_encode(all)}};
        } else if (chunks.size() == 1) {
            message["body"] = chunks.front();
        } else if (!chunks.empty()) {
            message["body"] = {{"chunks", chunks}};
        }
    }

    static ordered_json message_of(const Headers& headers) {
        ordered_json message = ordered_json::object();
        ordered_json others = ordered_json::object();
        for (const auto& [name, value] : headers) {
            if (name == ":status") {
                message["status"] = std::atoi(value.c_str());
            } else if (const auto* plain = plain_name(name)) {
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

    // A StringMatcher, without its `invert`.
    std::optional<ordered_json> matcher_of(const ProtoText& matcher) {
        if (const auto* regex = matcher.find("regex")) {
            return regex_of(*regex, regex->value);
        }
        if (const auto* file = matcher.find("file")) {
            return ordered_json{{"equals", beside(file->value)}};
        }
        return ordered_json{{"equals", matcher.text("exact")}};
    }

    // RE2 over the whole text; ours is ECMAScript and finds a place.
    std::optional<ordered_json> regex_of(const ProtoText& at, const std::string& regex) {
        if (regex.find("(?") != std::string::npos && regex.find("(?:") == std::string::npos) {
            note(at, fmt::format("'{}' is not taken over: ECMAScript has no such group", regex));
            return std::nullopt;
        }
        const bool begins = regex.starts_with(".*");
        const bool ends = regex.ends_with(".*") && !regex.ends_with("\\.*");
        std::string inner = regex.substr(begins ? 2 : 0);
        if (ends && inner.size() >= 2) {
            inner.erase(inner.size() - 2);
        }
        const bool alternatives = inner.find('|') != std::string::npos;
        if (alternatives) {
            inner = "(?:" + inner + ")";
        }
        return ordered_json{{"regex", (begins ? "" : "^") + inner + (ends ? "" : "$")}};
    }

    static ordered_json inverted(const ProtoText& matcher, ordered_json positive) {
        return is_true(matcher, "invert") ? ordered_json{{"not", std::move(positive)}} : positive;
    }

    // has_header, no_header and `headers` of a phase's result. `sent` is what went in: repeated
    // headers are one there, with ", " between.
    void expect_headers(const ProtoText& result, const Headers& sent, ordered_json& message) {
        const auto put = [&](const std::string& name, ordered_json value) {
            const auto* plain = plain_name(name);
            auto& place = plain != nullptr ? message[plain] : message["headers"][name];
            if (place.is_object() && value.is_object()) {
                place.update(value);  // all of a matcher's conditions hold
            } else {
                place = std::move(value);
            }
        };
        for (const auto* each : result.all("has_header")) {
            const auto name = lower(each->text("key"));
            put(name, value_of(name, each->text("value"), sent));
        }
        for (const auto* each : result.all("no_header")) {
            const auto name = lower(each->text("key"));
            if (name.starts_with(':')) {
                note(*each, name + " is always there, and nothing is expected of it");
            } else if (name != "host") {
                put(name, {{"absent", true}});
            }
        }
        for (const auto* each : result.all("headers")) {
            // "name: value" as one text.
            const bool regex = each->find("regex") != nullptr;
            const std::string text = each->text(regex ? "regex" : "exact");
            const auto colon = text.find(": ", 1);
            const auto name = lower(text.substr(0, colon));
            if (colon == std::string::npos ||
                name.find_first_of("\\.*+?()[]{}|^$") != std::string::npos) {
                note(*each, fmt::format("'{}' is not taken over: no header is named", text));
                continue;
            }
            const std::string value = text.substr(colon + 2);
            const auto positive = regex ? regex_of(*each, value) : ordered_json{{"equals", value}};
            if (positive) {
                put(name, inverted(*each, *positive));
            }
        }
    }

    static ordered_json value_of(const std::string& name, const std::string& value,
                                 const Headers& sent) {
        std::string joined;
        ordered_json list = ordered_json::array();
        for (const auto& [key, each] : sent) {
            if (key == name) {
                joined += (joined.empty() ? "" : ", ") + each;
                list.push_back(each);
            }
        }
        return list.size() > 1 && joined == value ? list : ordered_json(value);
    }

    // What the chunks of a body became: together they are the message's.
    void expect_body(const ProtoText& test, std::string_view phase, ordered_json& message) {
        const auto parts = test.all(phase);
        std::string whole;
        bool exact = !parts.empty();
        std::vector<const ProtoText*> matchers;
        for (const auto* part : parts) {
            const auto* result = part->find("result");
            const auto own =
                result == nullptr ? std::vector<const ProtoText*>{} : result->all("body");
            matchers.insert(matchers.end(), own.begin(), own.end());
            exact = exact && own.size() == 1 && own[0]->find("regex") == nullptr &&
                    !is_true(*own[0], "invert");
            if (exact) {
                whole += matcher_of(*own[0])->at("equals").get<std::string>();
            }
        }
        if (exact) {
            message["body"] = whole;
        } else if (parts.size() == 1 && matchers.size() == 1) {
            if (auto positive = matcher_of(*matchers[0])) {
                message["body"] = inverted(*matchers[0], std::move(*positive));
            }
        } else {
            for (const auto* matcher : matchers) {
                note(*matcher, "a body that is matched chunk by chunk is not taken over");
            }
        }
    }

    void expect_logs(const ProtoText* result, ordered_json& some, ordered_json& none) {
        for (const auto* log :
             result == nullptr ? std::vector<const ProtoText*>{} : result->all("log")) {
            if (const auto positive = matcher_of(*log)) {
                (is_true(*log, "invert") ? none : some).push_back(*positive);
            }
        }
    }

    // The plugin answers in this phase itself.
    bool expect_reply(const ProtoText* result, ordered_json& expect) {
        const auto* immediate = result == nullptr ? nullptr : result->find("immediate");
        if (immediate == nullptr) {
            return false;
        }
        ordered_json reply = ordered_json::object();
        if (immediate->find("http_status") != nullptr) {
            reply["status"] = immediate->text("http_status");
        }
        if (const auto details = immediate->text("details"); !details.empty()) {
            std::string one_word = details;
            std::replace(one_word.begin(), one_word.end(), ' ', '_');  // as Envoy shows them
            reply["details"] = one_word;
        }
        if (immediate->find("grpc_status") != nullptr) {
            reply["grpc_status"] = immediate->text("grpc_status");
        }
        expect_headers(*result, {}, reply);
        for (const auto* body : result->all("body")) {
            if (auto positive = matcher_of(*body)) {
                reply["body"] = inverted(*body, std::move(*positive));
            }
        }
        expect["local_reply"] = reply.empty() ? ordered_json(true) : std::move(reply);
        return true;
    }

    ordered_json one_test(const ProtoText& test) {
        const std::string name = test.text("name");
        ordered_json out{{"name", name.empty() ? fmt::format("line {}", test.line) : name}};
        const auto* request_phase = test.find("request_headers");
        const auto* response_phase = test.find("response_headers");
        const Headers sent = headers_of(request_phase);
        const Headers answered = headers_of(response_phase);
        out["request"] = message_of(sent);
        if (!out["request"].contains("path")) {
            out["request"]["path"] = "/";
        }
        add_body(test, "request_body", out["request"]);
        if (out["request"].contains("body") && !out["request"].contains("method")) {
            out["request"]["method"] = "POST";
        }
        if (response_phase != nullptr || test.find("response_body") != nullptr) {
            out["upstream"] = message_of(answered);
            if (!out["upstream"].contains("status")) {
                out["upstream"]["status"] = 200;
            }
            add_body(test, "response_body", out["upstream"]);
        }
        for (const auto* property : test.all("properties")) {
            out["properties"][property->text("path")] = property->text("value");
        }
        out["expect"] = expectations(test, sent, answered);
        return out;
    }

    ordered_json expectations(const ProtoText& test, const Headers& sent, const Headers& answered) {
        ordered_json expect = ordered_json::object();
        auto some = ordered_json::array();
        auto none = ordered_json::array();
        for (const auto* name : {"plugin_init", "stream_init", "stream_destroy"}) {
            expect_logs(test.find(name), some, none);
        }
        const auto phase = [&](const char* headers_name, const char* body_name,
                               const Headers& input, const char* target) {
            ordered_json message = ordered_json::object();
            bool replied = false;
            for (const auto* name : {headers_name, body_name}) {
                for (const auto* each : test.all(name)) {
                    const auto* result = each->find("result");
                    expect_logs(result, some, none);
                    replied = expect_reply(result, expect) || replied;
                }
            }
            const auto* headers = test.find(headers_name);
            const auto* result = headers == nullptr ? nullptr : headers->find("result");
            if (result != nullptr && !replied) {
                expect_headers(*result, input, message);
            }
            if (!replied) {
                expect_body(test, body_name, message);
            }
            if (!message.empty()) {
                expect[target] = std::move(message);
            }
            return replied;
        };
        const bool replied = phase("request_headers", "request_body", sent, "upstream_request");
        phase("response_headers", "response_body", answered, "response");
        if (!replied && !expect.contains("local_reply")) {
            expect["local_reply"] = false;  // there every phase has to go on
        }
        if (!none.empty()) {
            expect["logs"] = {{"none", none}};
            if (!some.empty()) {
                expect["logs"]["some"] = some;
            }
        } else if (!some.empty()) {
            expect["logs"] = some;
        }
        return expect;
    }

    const std::filesystem::path& path_;
    std::vector<std::string> notes_;
};

}  // namespace

Imported import_gcp(const std::filesystem::path& path, const std::string& module) {
    return Importer(path).run(module);
}

}  // namespace wasmplug::plugintest
