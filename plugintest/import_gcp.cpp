#include "plugintest/import_gcp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/terminal.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "base/yaml_write.hpp"
#include "plugintest/full_match.hpp"
#include "plugintest/gcp_fields.hpp"
#include "plugintest/gcp_input.hpp"
#include "plugintest/text_format.hpp"

namespace wasmplug::plugintest {
namespace {

using nlohmann::ordered_json;

bool is_true(const ProtoText& message, std::string_view field) {
    const std::string text = message.text(field);
    return text == "true" || text == "True" || text == "TRUE" || text == "t" || text == "1";
}

// {equals: x} is written x where a value stands.
ordered_json as_value(ordered_json matcher) {
    return matcher.is_object() && matcher.size() == 1 && matcher.contains("equals")
               ? matcher["equals"]
               : matcher;
}

// Adds to `place` what else has to hold there.
void combine(ordered_json& place, ordered_json more) {
    if (place.is_null()) {
        place = as_value(std::move(more));
        return;
    }
    auto old = place.is_object() ? place : ordered_json{{"equals", place}};
    if (old == more) {
        return;
    }
    const bool apart = std::none_of(more.items().begin(), more.items().end(),
                                    [&](const auto& item) { return old.contains(item.key()); });
    if (apart && !old.contains("all_of")) {
        old.update(more);
        place = std::move(old);
    } else if (old.contains("all_of")) {
        old["all_of"].push_back(as_value(std::move(more)));
        place = std::move(old);
    } else {
        place = {{"all_of", {as_value(std::move(old)), as_value(std::move(more))}}};
    }
}

// Whether the expression has an alternative outside of all groups.
bool branches_at_top(const std::string& regex) {
    int depth = 0;
    bool bracket = false;
    for (std::size_t i = 0; i < regex.size(); ++i) {
        const char c = regex[i];
        if (c == '\\') {
            ++i;
        } else if (bracket) {
            bracket = c != ']';
        } else if (c == '[') {
            bracket = true;
        } else if (c == '(' || c == ')') {
            depth += c == '(' ? 1 : -1;
        } else if (c == '|' && depth == 0) {
            return true;
        }
    }
    return false;
}

class Importer {
  public:
    explicit Importer(const std::filesystem::path& path) : path_(path), file_(path) {}

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
        check_gcp_fields(
            suite,
            [&](const ProtoText& at, const std::string& what) {
                file_.note(at, what + ", and is left out");
            },
            [&](const ProtoText& at, const std::string& what) {
                file_.fail(at, what, "plugins/test/runner.proto has the tester's messages");
            });
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
        return {.yaml = yaml::write(out), .notes = file_.take_notes()};
    }

  private:
    void environment(const ProtoText& suite, const std::string& module, ordered_json& out) {
        ordered_json plugin{{"wasm", module}};
        // The tester's clock stands still, at the epoch when nothing sets it.
        constexpr std::uint64_t year_10000 = 253'402'300'800;
        std::uint64_t seconds = 0;
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
            for (const auto& field : env->fields) {
                if (field.name == "num_additional_streams" ||
                    field.name == "additional_stream_advance_rate") {
                    file_.note(field, field.name + ": no further streams run beside a test");
                } else if (field.name == "time_secs") {
                    seconds = file_.number(field, 0, year_10000 - 1);
                } else if (field.name == "log_level" || field.name == "min_log_level") {
                    read_log_level(field);
                }
            }
        }
        const auto time =
            WallClock::time_point(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
        out["defaults"] = {{"clock", format_time(time)}};
        ordered_json first{{"wasmplug", out["wasmplug"]}, {"plugin", std::move(plugin)}};
        first.update(out);
        out = std::move(first);
    }

    // Lines below this level are not seen there.
    void read_log_level(const ProtoText& field) {
        static constexpr std::array names{"UNDEFINED", "TRACE", "DEBUG",   "INFO",
                                          "WARN",      "ERROR", "CRITICAL"};
        const auto found = std::find(names.begin(), names.end(), field.value);
        const bool is_number = field.value.size() == 1 && field.value[0] >= '0' &&
                               field.value[0] < static_cast<char>('0' + names.size());
        if (found == names.end() && !is_number) {
            file_.fail(field,
                       fmt::format("{} has to be one of {}", field.name, fmt::join(names, ", ")));
        }
        const auto index = is_number ? static_cast<std::size_t>(field.value[0] - '0')
                                     : static_cast<std::size_t>(found - names.begin());
        least_level_ = index == 0 ? "info" : lower_case(names[index]);
    }

    // A StringMatcher, without its `invert`.
    std::optional<ordered_json> matcher_of(const ProtoText& matcher) {
        if (const auto* regex = matcher.find("regex")) {
            return regex_of(*regex, regex->value);
        }
        const auto* file = matcher.find("file");
        const auto* exact = matcher.find("exact");
        if (file == nullptr && exact == nullptr) {
            file_.note(matcher, matcher.name + " names neither exact nor regex, and is left out");
            return std::nullopt;
        }
        const auto text = file != nullptr ? file_.text_of(*file, file_.beside(*file))
                                          : file_.text_of(*exact, exact->value);
        return text ? std::optional(ordered_json{{"equals", *text}}) : std::nullopt;
    }

    // RE2 over the whole text; ours is ECMAScript and finds a place.
    std::optional<ordered_json> regex_of(const ProtoText& at, const std::string& regex) {
        const auto match = full_match_of(regex);
        if (!match || !is_text(match->text)) {
            file_.note(at, fmt::format("'{}' is not taken over: ECMAScript cannot say it",
                                       printable(regex)));
            return std::nullopt;
        }
        if (match->matcher == "contains" && match->text.empty()) {
            return ordered_json{{"present", true}};
        }
        return ordered_json{{match->matcher, match->text}};
    }

    static ordered_json inverted(const ProtoText& matcher, ordered_json positive) {
        if (!is_true(matcher, "invert")) {
            return positive;
        }
        return positive.contains("present") ? ordered_json{{"absent", true}}
                                            : ordered_json{{"not", as_value(std::move(positive))}};
    }

    // What a phase expects of headers. `sent` is what went in: repeated headers are one there,
    // with ", " between.
    void expect_headers(const GcpResult& result, const GivenHeaders& sent, ordered_json& message) {
        const auto put = [&](const ProtoText& at, const std::string& name, ordered_json more) {
            const auto* plain = plain_name(name);
            if (name.starts_with(':') && (plain == nullptr || more.contains("absent"))) {
                file_.note(at, plain == nullptr
                                   ? fmt::format("no proxy lets '{}' pass: it is left out", name)
                                   : name + " is always there, and nothing is expected of it");
                return;
            }
            auto& place = plain != nullptr ? message[plain] : message["headers"][name];
            if (place.is_array()) {
                file_.note(at, fmt::format("{} is expected twice, and this is left out", name));
                return;
            }
            combine(place, std::move(more));
        };
        for (const auto* each : result.has_header) {
            const auto name = file_.text_of(*each, lower_case(each->text("key")));
            const auto value = file_.text_of(*each, each->text("value"));
            if (!name || !value || names_nothing(*each, *name)) {
                continue;
            }
            if (const auto list = repeated(*name, *value, sent); !list.empty()) {
                message["headers"][*name] = list;
            } else {
                put(*each, *name, {{"equals", *value}});
            }
        }
        for (const auto* each : result.no_header) {
            const auto name = file_.text_of(*each, lower_case(each->text("key")));
            if (name && !names_nothing(*each, *name) && *name != "host") {
                put(*each, *name, {{"absent", true}});
            }
        }
        for (const auto* each : result.lines) {
            if (auto line = header_line(*each)) {
                put(*each, line->first, inverted(*each, std::move(line->second)));
            }
        }
    }

    bool names_nothing(const ProtoText& at, const std::string& name) {
        if (name.empty()) {
            file_.note(at, at.name + " names no header, and is left out");
        }
        return name.empty();
    }

    // A matcher of "name: value" as one text: the name, and the matcher of the value.
    std::optional<std::pair<std::string, ordered_json>> header_line(const ProtoText& at) {
        const auto* regex = at.find("regex");
        const auto* exact = at.find("exact");
        const std::string text = regex != nullptr   ? regex->value
                                 : exact != nullptr ? exact->value
                                                    : "";
        const auto colon = text.find(':', 1);
        const auto name = lower_case(text.substr(0, colon));
        if (colon == std::string::npos || (regex != nullptr && branches_at_top(text)) ||
            name.find_first_of("\\.*+?()[]{}|^$ ") != std::string::npos || !is_text(name)) {
            file_.note(at,
                       fmt::format("'{}' is not taken over: no header is named", printable(text)));
            return std::nullopt;
        }
        std::string value = text.substr(colon + 1);
        if (value.starts_with(' ')) {
            value.erase(0, 1);
        } else if (regex == nullptr || !value.starts_with(".*")) {
            file_.note(at, fmt::format("'{}' fits no line: a space comes behind the colon",
                                       printable(text)));
            return std::nullopt;
        }
        std::optional<ordered_json> matcher;
        if (regex != nullptr) {
            matcher = regex_of(*regex, value);
        } else if (const auto plain = file_.text_of(*exact, value)) {
            matcher = ordered_json{{"equals", *plain}};
        }
        return matcher ? std::optional(std::pair(name, std::move(*matcher))) : std::nullopt;
    }

    // The values that were sent, when they are what is expected, with ", " between.
    static ordered_json repeated(const std::string& name, const std::string& value,
                                 const GivenHeaders& sent) {
        std::string joined;
        ordered_json list = ordered_json::array();
        for (const auto& each : sent) {
            if (each.name == name) {
                joined += (joined.empty() ? "" : ", ") + each.value;
                list.push_back(each.value);
            }
        }
        return list.size() > 1 && joined == value ? list : ordered_json::array();
    }

    // What the chunks of a body became: together they are the message's.
    void expect_body(const ProtoText& test, std::string_view phase, ordered_json& message) {
        const auto parts = test.all(phase);
        if (parts.size() == 1) {
            add_matchers(gcp_result_of(parts[0]->find("result")).body, message);
            return;
        }
        ordered_json whole;
        bool exact = true;
        std::vector<const ProtoText*> matchers;
        for (const auto* part : parts) {
            const auto own = gcp_result_of(part->find("result")).body;
            matchers.insert(matchers.end(), own.begin(), own.end());
            exact = exact && own.size() == 1 && own[0]->find("regex") == nullptr &&
                    !is_true(*own[0], "invert");
            const auto text = exact ? matcher_of(*own[0]) : std::nullopt;
            exact = text.has_value();
            if (exact) {
                whole = (whole.is_null() ? "" : whole.get<std::string>()) +
                        text->at("equals").get<std::string>();
            }
        }
        if (exact && !parts.empty()) {
            message["body"] = whole;
            return;
        }
        for (const auto* matcher : matchers) {
            file_.note(*matcher, "a body that is matched chunk by chunk is not taken over");
        }
    }

    void add_matchers(const std::vector<const ProtoText*>& matchers, ordered_json& message) {
        for (const auto* each : matchers) {
            if (auto positive = matcher_of(*each)) {
                combine(message["body"], inverted(*each, std::move(*positive)));
            }
        }
    }

    void expect_logs(const GcpResult& result, ordered_json& some, ordered_json& none) {
        for (const auto* log : result.log) {
            auto positive = matcher_of(*log);
            if (!positive) {
                continue;
            }
            if (!is_true(*log, "invert")) {
                some.push_back(log_line(std::move(*positive)));
                continue;
            }
            file_.note(*log,
                       "here no line of the whole exchange may match, not only of this phase");
            auto line = log_line(std::move(*positive));
            if (least_level_ != "trace") {
                line["level"] = {{"gte", least_level_}};
            }
            none.push_back(std::move(line));
        }
    }

    static ordered_json log_line(ordered_json matcher) {
        return matcher.contains("present") ? ordered_json{{"contains", ""}} : matcher;
    }

    // The plugin answers in this phase itself.
    bool expect_reply(const GcpResult& result, ordered_json& expect) {
        if (result.immediate == nullptr) {
            return false;
        }
        ordered_json reply = ordered_json::object();
        for (const auto* name : {"http_status", "grpc_status"}) {
            if (const auto* field = result.immediate->find(name)) {
                const auto value =
                    file_.number(*field, 0, std::numeric_limits<std::uint32_t>::max());
                reply[std::string_view(name) == "http_status" ? "status" : name] =
                    std::to_string(value);
            }
        }
        if (const auto details = result.immediate->text("details"); !details.empty()) {
            std::string one_word = details;
            std::replace(one_word.begin(), one_word.end(), ' ', '_');  // as Envoy shows them
            reply["details"] = one_word;
        }
        expect_headers(result, {}, reply);
        add_matchers(result.body, reply);
        expect["local_reply"] = reply.empty() ? ordered_json(true) : std::move(reply);
        return true;
    }

    ordered_json one_test(const ProtoText& test) {
        const std::string name = test.text("name");
        ordered_json out{{"name", name.empty()    ? fmt::format("line {}", test.line)
                                  : is_text(name) ? name
                                                  : printable(name)}};
        const auto* response_phase = test.find("response_headers");
        const auto sent = gcp_headers_of(file_, test.find("request_headers"), true);
        const auto answered = gcp_headers_of(file_, response_phase, false);
        std::string skip;
        auto request = gcp_message_of(file_, sent, true, skip);
        if (!request.contains("path")) {
            request["path"] = "/";
        }
        add_gcp_body(file_, test, "request_body", sent, request);
        if (request.contains("body") && !request.contains("method")) {
            request["method"] = "POST";
        }
        auto upstream = gcp_message_of(file_, answered, false, skip);
        auto properties = gcp_properties_of(file_, test, skip);
        if (!skip.empty()) {
            out["skip"] = skip;
        }
        out["request"] = std::move(request);
        if (response_phase != nullptr || test.find("response_body") != nullptr) {
            if (!upstream.contains("status")) {
                upstream["status"] = 200;
            }
            add_gcp_body(file_, test, "response_body", answered, upstream);
            out["upstream"] = std::move(upstream);
        }
        if (!properties.empty()) {
            out["properties"] = std::move(properties);
        }
        out["expect"] = expectations(test, sent, answered);
        return out;
    }

    struct Logs {
        ordered_json some = ordered_json::array();
        ordered_json none = ordered_json::array();
    };

    // One direction of the exchange: whether the plugin answers in it itself.
    bool expect_phase(const ProtoText& test, const std::string& direction,
                      const GivenHeaders& input, const char* target, ordered_json& expect,
                      Logs& logs) {
        ordered_json message = ordered_json::object();
        bool replied = false;
        const auto headers_name = direction + "_headers";
        const auto body_name = direction + "_body";
        for (const auto& name : {headers_name, body_name}) {
            for (const auto* each : test.all(name)) {
                const auto result = gcp_result_of(each->find("result"));
                expect_logs(result, logs.some, logs.none);
                const bool own = expect_reply(result, expect);
                replied = own || replied;
                if (name == body_name && !own) {
                    for (const auto* list :
                         {&result.has_header, &result.no_header, &result.lines}) {
                        for (const auto* header : *list) {
                            file_.note(*header, "a body has no headers: it is left out");
                        }
                    }
                }
            }
        }
        const auto* headers = test.find(headers_name);
        const auto result = gcp_result_of(headers == nullptr ? nullptr : headers->find("result"));
        if (!replied) {
            expect_headers(result, input, message);
            for (const auto* body : result.body) {
                file_.note(*body, "headers have no body: it is left out");
            }
            expect_body(test, body_name, message);
        }
        if (!message.empty()) {
            expect[target] = std::move(message);
        }
        return replied;
    }

    ordered_json expectations(const ProtoText& test, const GivenHeaders& sent,
                              const GivenHeaders& answered) {
        ordered_json expect = ordered_json::object();
        Logs logs;
        for (const auto* name : {"plugin_init", "stream_init", "stream_destroy"}) {
            expect_logs(gcp_result_of(test.find(name)), logs.some, logs.none);
        }
        const bool replied = expect_phase(test, "request", sent, "upstream_request", expect, logs);
        expect_phase(test, "response", answered, "response", expect, logs);
        if (!replied && !expect.contains("local_reply")) {
            expect["local_reply"] = false;  // there every phase has to go on
        }
        if (!logs.none.empty()) {
            expect["logs"] = {{"none", logs.none}};
            if (!logs.some.empty()) {
                expect["logs"]["some"] = logs.some;
            }
        } else if (!logs.some.empty()) {
            expect["logs"] = logs.some;
        }
        return expect;
    }

    const std::filesystem::path& path_;
    GcpFile file_;
    std::string least_level_ = "info";
};

}  // namespace

Imported import_gcp(const std::filesystem::path& path, const std::string& module) {
    return Importer(path).run(module);
}

}  // namespace wasmplug::plugintest
