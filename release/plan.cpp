#include "release/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <set>

#include "base/error.hpp"
#include "base/terminal.hpp"
#include "base/time.hpp"
#include "istio/metrics.hpp"

namespace wasmplug::release {
namespace {

using yaml::Node;

// Reads one mapping of the plan; what it was not asked for is a mistake at that key.
class Fields {
  public:
    Fields(const yaml::File& file, const Node& node, std::string what)
        : file_(file), node_(node), what_(std::move(what)) {
        if (!node.is_mapping()) {
            throw file.error(node.range(), fmt::format("{} is {}, not a mapping", what_,
                                                       yaml::type_name(node.type())));
        }
        if (const auto twice = yaml::duplicate_keys(node); !twice.empty()) {
            throw file.error(twice.front().key.range(),
                             fmt::format("'{}' is written twice", twice.front().key.key_text()));
        }
    }

    const Node* get(const char* key) {
        known_.push_back(key);
        const Node* value = node_.find(key);
        return value == nullptr || value->is_null() ? nullptr : value;
    }

    const Node& need(const char* key) {
        const Node* value = get(key);
        if (value == nullptr) {
            throw file_.error(node_.range(), fmt::format("{} lacks '{}'", what_, key));
        }
        return *value;
    }

    std::string text(const char* key, std::string otherwise = {}) {
        const Node* value = get(key);
        return value == nullptr ? std::move(otherwise) : text_of(*value, key);
    }

    std::string need_text(const char* key) { return text_of(need(key), key); }

    std::optional<double> number(const char* key) {
        const Node* value = get(key);
        if (value == nullptr) {
            return std::nullopt;
        }
        const auto number = value->as_double();
        if (!number) {
            throw wrong(*value, key, "a number");
        }
        return number;
    }

    unsigned count(const char* key, unsigned otherwise, unsigned least = 0) {
        const Node* value = get(key);
        if (value == nullptr) {
            return otherwise;
        }
        const auto number = value->as_uint();
        if (!number || *number < least || *number > 1'000'000) {
            throw wrong(*value, key, fmt::format("a whole number from {}", least));
        }
        return static_cast<unsigned>(*number);
    }

    std::chrono::nanoseconds duration(const char* key, std::chrono::nanoseconds otherwise) {
        const Node* value = get(key);
        if (value == nullptr) {
            return otherwise;
        }
        const auto time = parse_duration(value->text());
        if (!time || time->count() < 0) {
            throw wrong(*value, key, "a duration such as 30s or 5m");
        }
        return *time;
    }

    // One text, or a list of them.
    std::vector<std::string> texts(const char* key) {
        const Node* value = get(key);
        std::vector<std::string> all;
        if (value == nullptr) {
            return all;
        }
        if (!value->is_sequence()) {
            return {text_of(*value, key)};
        }
        for (const auto& item : value->items()) {
            all.push_back(text_of(item, key));
        }
        return all;
    }

    std::size_t choice(const char* key, const std::vector<std::string>& words,
                       std::size_t otherwise = 0) {
        const Node* value = get(key);
        if (value == nullptr) {
            return otherwise;
        }
        const auto found = std::ranges::find(words, value->text());
        if (found == words.end()) {
            throw wrong(*value, key, fmt::format("one of {}", fmt::join(words, ", ")));
        }
        return static_cast<std::size_t>(found - words.begin());
    }

    // Call when every key was asked for.
    void end() const {
        for (const auto& [key, value] : node_.effective_entries()) {
            const std::string name = key.key_text();
            if (std::ranges::find(known_, name) == known_.end()) {
                const std::string guess = closest(name, known_);
                throw file_.error(key.range(), fmt::format("{} has no key '{}'", what_, name),
                                  guess.empty() ? fmt::format("it has {}", fmt::join(known_, ", "))
                                                : fmt::format("did you mean '{}'?", guess));
            }
        }
    }

  private:
    std::string text_of(const Node& value, const char* key) const {
        if (value.is_mapping() || value.is_sequence() || value.is_null()) {
            throw wrong(value, key, "a string");
        }
        return std::string(value.text());
    }

    Error wrong(const Node& value, const char* key, const std::string& wanted) const {
        return file_.error(value.range(), fmt::format("'{}' is not {}", key, wanted));
    }

    const yaml::File& file_;
    const Node& node_;
    std::string what_;
    std::vector<std::string> known_;
};

Check parse_prometheus(const yaml::File& file, const Node& node, std::string query, Fields& gate) {
    Fields fields(file, node, "prometheus");
    PrometheusCheck check{fields.need_text("address"), std::move(query), gate.number("min"),
                          gate.number("max"), fields.text("tokenVariable")};
    fields.end();
    if (check.query.empty()) {
        throw file.error(node.range(), "a prometheus gate lacks 'query'");
    }
    if (!check.min && !check.max) {
        throw file.error(node.range(), "a prometheus gate lacks 'max' or 'min'");
    }
    return check;
}

Check parse_http(const yaml::File& file, const Node& node) {
    Fields fields(file, node, "http");
    HttpCheck check{fields.need_text("url"), static_cast<int>(fields.count("status", 200, 100)),
                    fields.text("contains")};
    fields.end();
    return check;
}

Check parse_test(const yaml::File& file, const Node& node) {
    Fields fields(file, node, "test");
    TestCheck check{fields.texts("files"), fields.need_text("url")};
    fields.end();
    if (check.files.empty()) {
        throw file.error(node.range(), "a test gate lacks 'files'");
    }
    return check;
}

Gate parse_gate(const yaml::File& file, const Node& node) {
    Fields fields(file, node, "a gate");
    Gate gate;
    gate.name = fields.need_text("name");
    std::vector<Check> checks;
    std::string query = fields.text("query");
    if (const Node* prometheus = fields.get("prometheus")) {
        checks.push_back(parse_prometheus(file, *prometheus, query, fields));
    } else {
        fields.get("min");
        fields.get("max");
    }
    if (auto argv = fields.texts("command"); !argv.empty()) {
        checks.push_back(CommandCheck{std::move(argv)});
    }
    if (const Node* http = fields.get("http")) {
        checks.push_back(parse_http(file, *http));
    }
    if (const Node* test = fields.get("test")) {
        checks.push_back(parse_test(file, *test));
    }
    if (const auto wait = fields.duration("wait", std::chrono::nanoseconds(-1));
        wait.count() >= 0) {
        checks.push_back(WaitCheck{wait});
    }
    if (const Node* manual = fields.get("manual"); manual != nullptr && manual->as_bool() == true) {
        checks.push_back(ManualCheck{});
    }
    gate.interval = fields.duration("interval", gate.interval);
    gate.timeout = fields.duration(
        "timeout", std::holds_alternative<TestCheck>(checks.empty() ? Check{} : checks.front())
                       ? std::chrono::minutes(5)
                       : gate.timeout);
    gate.count = fields.count("count", gate.count);
    gate.failure_limit = fields.count("failureLimit", gate.failure_limit);
    gate.error_limit = fields.count("errorLimit", gate.error_limit);
    gate.no_data_limit = fields.count("noDataLimit", gate.no_data_limit);
    gate.no_data = static_cast<NoData>(fields.choice("noData", {"inconclusive", "fail", "pass"}));
    fields.end();
    if (checks.size() != 1) {
        throw file.error(node.range(),
                         fmt::format("gate '{}' asks {} things, not one", gate.name, checks.size()),
                         "give it one of prometheus, command, http, test, wait, manual");
    }
    gate.check = std::move(checks.front());
    return gate;
}

Wave parse_wave(const yaml::File& file, const Node& node, const std::vector<Gate>& gates) {
    Fields fields(file, node, "a wave");
    Wave wave;
    wave.range = node.range();
    wave.name = fields.need_text("name");
    wave.cluster = fields.text("cluster");
    wave.pause = fields.choice("pause", {"none", "manual"}) == 1;
    if (const Node* vars = fields.get("vars")) {
        Fields inner(file, *vars, "vars");
        for (const auto& [key, value] : vars->effective_entries()) {
            wave.vars[key.key_text()] = inner.need_text(key.key_text().c_str());
        }
    }
    if (const Node* named = fields.get("gates")) {
        wave.gates = fields.texts("gates");
        for (const auto& name : wave.gates) {
            if (std::ranges::find(gates, name, &Gate::name) == gates.end()) {
                std::vector<std::string> names;
                std::ranges::transform(gates, std::back_inserter(names), &Gate::name);
                const std::string guess = closest(name, names);
                throw file.error(named->range(), fmt::format("no gate is called '{}'", name),
                                 guess.empty() ? "" : fmt::format("did you mean '{}'?", guess));
            }
        }
    } else {
        std::ranges::transform(gates, std::back_inserter(wave.gates), &Gate::name);
    }
    for (const auto& item : fields.need("targets").items()) {
        Fields target(file, item, "a target");
        if (item.find("file") == nullptr && item.find("context") != nullptr) {
            throw file.error(item.range(),
                             "this target is an object in a cluster, and those cannot "
                             "be rolled out yet",
                             "name the file that declares it, as 'file: prod/auth.yaml'");
        }
        wave.targets.push_back(
            {target.need_text("file"), target.text("name"), target.text("path"), item.range()});
        target.end();
    }
    fields.end();
    if (wave.targets.empty()) {
        throw file.error(node.range(), fmt::format("wave '{}' has no targets", wave.name));
    }
    return wave;
}

template <class Part>
void refuse_twins(const yaml::File& file, const Node& list, const std::vector<Part>& parts,
                  const char* what) {
    std::set<std::string> seen;
    for (const auto& part : parts) {
        if (!seen.insert(part.name).second) {
            throw file.error(list.range(), fmt::format("two {} are called '{}'", what, part.name));
        }
    }
}

void parse_plugin(Plan& plan, Fields fields) {
    plan.url = fields.need_text("url");
    plan.to = fields.need_text("to");
    plan.sha256 = fields.text("sha256");
    if (const std::string config = fields.text("config"); !config.empty()) {
        plan.config_file = config;
    }
    fields.end();
}

// Replaces each {{…}}; a brace that opens nothing stays.
std::string substitute(std::string_view text,
                       const std::function<std::string(std::string_view)>& value_of) {
    std::string out;
    while (true) {
        const std::size_t begin = text.find("{{");
        const std::size_t end =
            begin == std::string_view::npos ? begin : text.find("}}", begin + 2);
        if (end == std::string_view::npos) {
            return out.append(text);
        }
        std::string_view name = text.substr(begin + 2, end - begin - 2);
        while (name.starts_with(' ')) {
            name.remove_prefix(1);
        }
        while (name.ends_with(' ')) {
            name.remove_suffix(1);
        }
        out.append(text.substr(0, begin)).append(value_of(name));
        text.remove_prefix(end + 2);
    }
}

void render_check(Check& check, const std::function<void(std::string&)>& render_text) {
    if (auto* prometheus = std::get_if<PrometheusCheck>(&check)) {
        render_text(prometheus->address);
        render_text(prometheus->query);
    } else if (auto* command = std::get_if<CommandCheck>(&check)) {
        std::ranges::for_each(command->argv, render_text);
    } else if (auto* http = std::get_if<HttpCheck>(&check)) {
        render_text(http->url);
        render_text(http->contains);
    } else if (auto* test = std::get_if<TestCheck>(&check)) {
        std::ranges::for_each(test->files, render_text);
        render_text(test->url);
    }
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == ':';
}

// The words of a query that could be metric names; quoted texts are left out.
std::vector<std::string> words_of(std::string_view query) {
    std::vector<std::string> words;
    std::string word;
    char quote = 0;
    for (std::size_t i = 0; i <= query.size(); ++i) {
        const char c = i < query.size() ? query[i] : ' ';
        if (quote != 0) {
            i += c == '\\' && quote != '`' ? 1 : 0;
            quote = c == quote ? '\0' : quote;
        } else if (c == '"' || c == '\'' || c == '`') {
            quote = c;
        } else if (is_name_character(c)) {
            word += c;
        } else if (!word.empty()) {
            words.push_back(std::move(word));
            word.clear();
        }
    }
    return words;
}

void warn_of_query(const Gate& gate, const PrometheusCheck& check,
                   std::vector<PlanWarning>& warnings) {
    for (const auto& word : words_of(check.query)) {
        if (const auto verdict = istio::judge_metric(word); !verdict.exists) {
            warnings.push_back(
                {fmt::format("gate '{}' asks for {}, which nothing exports", gate.name, word),
                 verdict.instead});
        }
        if (word == "track") {
            warnings.push_back(
                {fmt::format("gate '{}' selects by 'track', which is no label of Istio's metrics",
                             gate.name),
                 "use destination_version or destination_canonical_revision"});
        }
    }
}

void parse_metadata(Plan& plan, Fields fields) {
    plan.name = fields.text("name", plan.name);
    if (const Node* annotations = fields.get("annotations");
        annotations != nullptr && annotations->is_mapping()) {
        for (const auto& [key, value] : annotations->effective_entries()) {
            plan.annotations.emplace_back(key.key_text(), value.text());
        }
    }
    fields.end();
}

void parse_defaults(Plan& plan, Fields fields) {
    plan.settle = fields.duration("settle", plan.settle);
    plan.timeout = fields.duration("timeout", plan.timeout);
    plan.on_failure = static_cast<OnFailure>(fields.choice("onFailure", {"rollback", "pause"}));
    fields.end();
}

}  // namespace

const Gate& Plan::gate(std::string_view wanted) const {
    return *std::ranges::find(gates, wanted, &Gate::name);
}

Plan parse_plan(yaml::File file, const std::filesystem::path& path) {
    Plan plan;
    plan.path = path;
    plan.file = std::move(file);
    const Node& root = plan.file.single();
    Fields fields(plan.file, root, "a rollout plan");
    if (fields.need_text("apiVersion") != plan_api_version ||
        fields.need_text("kind") != plan_kind) {
        throw plan.file.error(root.range(), "this is no rollout plan",
                              fmt::format("it begins with 'apiVersion: {}' and 'kind: {}'",
                                          plan_api_version, plan_kind));
    }
    plan.name = path.stem().string();
    if (constexpr std::string_view ending = ".rollout";
        plan.name.size() > ending.size() && plan.name.ends_with(ending)) {
        plan.name.resize(plan.name.size() - ending.size());
    }
    if (const Node* metadata = fields.get("metadata")) {
        parse_metadata(plan, Fields(plan.file, *metadata, "metadata"));
    }
    parse_plugin(plan, Fields(plan.file, fields.need("plugin"), "plugin"));
    plan.why = fields.text("why");
    plan.root_namespace = fields.text("rootNamespace", plan.root_namespace);
    if (const Node* defaults = fields.get("defaults")) {
        parse_defaults(plan, Fields(plan.file, *defaults, "defaults"));
    }
    if (const Node* gates = fields.get("gates")) {
        for (const auto& item : gates->items()) {
            plan.gates.push_back(parse_gate(plan.file, item));
        }
        refuse_twins(plan.file, *gates, plan.gates, "gates");
    }
    const Node& waves = fields.need("waves");
    for (const auto& item : waves.items()) {
        plan.waves.push_back(parse_wave(plan.file, item, plan.gates));
    }
    refuse_twins(plan.file, waves, plan.waves, "waves");
    fields.end();
    if (plan.waves.empty()) {
        throw plan.file.error(waves.range(), "a rollout plan needs at least one wave");
    }
    for (const auto& wave : plan.waves) {
        try {
            gates_of(plan, wave);
        } catch (const Error& error) {
            throw plan.file.error(wave.range, error.what(), error.hint());
        }
    }
    return plan;
}

Plan read_plan(const std::filesystem::path& path) {
    return parse_plan(yaml::File::read(path), path);
}

std::string render(std::string_view text, const Plan& plan, const Wave& wave) {
    return substitute(text, [&](std::string_view name) -> std::string {
        const auto index = static_cast<std::size_t>(&wave - plan.waves.data());
        std::vector<std::pair<std::string, std::string>> known{
            {"wave.name", wave.name},       {"wave.index", std::to_string(index + 1)},
            {"wave.cluster", wave.cluster}, {"plugin.url", plan.url},
            {"plugin.version", plan.to},    {"plugin.sha256", plan.sha256}};
        for (const auto& [key, value] : wave.vars) {
            known.emplace_back("wave." + key, value);
        }
        std::vector<std::string> names;
        for (const auto& [key, value] : known) {
            if (key == name) {
                return value;
            }
            names.push_back(key);
        }
        const std::string guess = closest(name, names);
        throw Error(fmt::format("wave '{}' has no value for '{{{{{}}}}}'", wave.name, name),
                    guess.empty() ? "set it under the wave's vars"
                                  : fmt::format("did you mean '{}'?", guess));
    });
}

std::vector<Gate> gates_of(const Plan& plan, const Wave& wave) {
    std::vector<Gate> gates;
    for (const auto& name : wave.gates) {
        Gate gate = plan.gate(name);
        render_check(gate.check, [&](std::string& text) { text = render(text, plan, wave); });
        gates.push_back(std::move(gate));
    }
    if (wave.pause) {
        Gate manual;
        manual.name = "pause";
        manual.check = ManualCheck{};
        gates.push_back(std::move(manual));
    }
    return gates;
}

std::vector<PlanWarning> warnings_of(const Plan& plan) {
    std::vector<PlanWarning> warnings;
    for (const auto& gate : plan.gates) {
        if (const auto* check = std::get_if<PrometheusCheck>(&gate.check)) {
            warn_of_query(gate, *check, warnings);
        }
    }
    for (const auto& wave : plan.waves) {
        if (wave.gates.empty()) {
            continue;
        }
        // A command, a test or a person can know that the change has arrived; a query cannot.
        const Gate& first = plan.gate(wave.gates.front());
        if (std::holds_alternative<PrometheusCheck>(first.check) ||
            std::holds_alternative<HttpCheck>(first.check)) {
            warnings.push_back(
                {fmt::format("wave '{}' is judged by '{}' {} after its files change, whether or "
                             "not the cluster has them",
                             wave.name, first.name, format_duration(plan.settle)),
                 "let a command gate wait until the change is synced, or commit each wave and run "
                 "'wasmplug rollout gate' later"});
            break;
        }
    }
    return warnings;
}

}  // namespace wasmplug::release
