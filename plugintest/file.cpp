#include "plugintest/file.hpp"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "base/time.hpp"
#include "plugintest/reader.hpp"

namespace wasmplug::plugintest {
namespace {

constexpr std::size_t max_cases = 10'000;  // rows of matrices included

// A frozen clock that tests may compare with: any would do.
constexpr auto default_clock = std::chrono::seconds(1'767'225'600);  // 2026-01-01T00:00:00Z

class FileReader {
  public:
    FileReader(const yaml::File& file, const std::filesystem::path& path,
               const ReadOptions& options)
        : file_(file), plain_(file), folder_(path.parent_path()), options_(options) {
        result_.path = path;
    }

    TestFile read() {
        const auto& root = file_.single();
        const Value top = plain_.value(root);
        std::optional<Value> tests;
        std::optional<Value> bench;
        for (const auto& member : plain_.members(
                 top, "a test file",
                 {"wasmplug", "plugin", "plugins", "envoy", "defaults", "tests", "bench"})) {
            if (member.name == "wasmplug") {
                plain_.integer(member.value, "wasmplug", 1, 1);
                versioned_ = true;
            } else if (member.name == "plugin") {
                plugins_.push_back(member.value);
            } else if (member.name == "plugins") {
                plugins_ = plain_.items(member.value, "plugins");
            } else if (member.name == "envoy") {
                envoy_ = member.value;
            } else if (member.name == "defaults") {
                read_defaults(member.value);
            } else if (member.name == "tests") {
                tests = member.value;
            } else {
                bench = member.value;
            }
        }
        if (!versioned_) {
            plain_.fail(root, "a test file begins with wasmplug: 1");
        }
        if (plugins_.empty()) {
            plain_.fail(root, "the test file names no plugin",
                        "add plugin: {wasm: build/plugin.wasm}");
        }
        if (!tests) {
            plain_.fail(root, "the test file has no tests");
        }
        for (const auto& item : plain_.items(*tests, "tests")) {
            read_matrix(item);
        }
        if (bench) {
            for (const auto& item : plain_.items(*bench, "bench")) {
                read_bench(item);
            }
        }
        return std::move(result_);
    }

  private:
    void read_defaults(const Value& value) {
        for (const auto& member :
             plain_.members(value, "defaults",
                            {"clock", "request", "upstream", "limits", "properties", "shared_data",
                             "calls", "foreign_functions", "refuse"})) {
            defaults_.push_back(member);
        }
    }

    // A test with a matrix is one for each of its rows.
    void read_matrix(const Value& item) {
        const yaml::Node* matrix = item.is_mapping() ? item.node->find("matrix") : nullptr;
        if (matrix == nullptr) {
            read_test(*item.node, plain_, {});
            return;
        }
        std::size_t number = 0;
        for (const auto& row : plain_.items(plain_.value(*matrix), "matrix")) {
            if (!row.is_mapping()) {
                plain_.fail(row, "a row of a matrix has to be a mapping");
            }
            ++number;
            read_test(*item.node, Values(file_, row.node), fmt::format(" [{}]", number));
        }
        if (number == 0) {
            plain_.fail(*matrix, "the matrix has no row");
        }
    }

    void read_test(const yaml::Node& node, const Values& values, const std::string& row) {
        if (result_.tests.size() == max_cases) {
            plain_.fail(node, fmt::format("more than {} tests", max_cases));
        }
        const Reading reading{values, folder_};
        const Value value = values.value(node);
        TestCase test;
        test.place = values.place(value);
        test.test.clock = WallClock::time_point(default_clock);
        for (const auto& plugin : plugins_) {
            test.test.plugins.push_back(
                read_plugin(reading, values.value(*plugin.node), options_.module));
        }
        if (envoy_) {
            read_envoy(reading, values.value(*envoy_->node), test.test.envoy);
        }
        for (const auto& member : defaults_) {
            read_shared(reading, {member.name, values.value(*member.value.node), member.key}, test);
        }
        Members members;
        for (const auto& member :
             values.members(value, "a test",
                            {"name", "matrix", "skip", "config", "plugin", "envoy", "request",
                             "upstream", "calls", "shared_data", "properties", "foreign_functions",
                             "refuse", "clock", "limits", "steps", "expect"})) {
            read_member(reading, member, test, members);
        }
        name_test(values, node, row, test);
        read_steps(reading, value, test, members);
        result_.tests.push_back(std::move(test));
    }

    struct Members {
        std::optional<Value> request;
        std::optional<Value> upstream;
        std::optional<Value> steps;
    };

    void read_member(const Reading& reading, const Member& member, TestCase& test,
                     Members& members) {
        const auto& values = reading.values;
        if (member.name == "name") {
            test.test.name = values.text(member.value, "name");
        } else if (member.name == "skip") {
            test.skip = values.text(member.value, "skip");
        } else if (member.name == "config") {
            test.test.plugins.front().config = read_config(reading, member.value);
            test.own_config = true;
        } else if (member.name == "plugin") {
            const auto config = test.test.plugins.front().config;
            test.test.plugins.front() = read_plugin(reading, member.value, options_.module);
        } else if (member.name == "envoy") {
            read_envoy(reading, member.value, test.test.envoy);
        } else if (member.name == "request") {
            members.request = member.value;
        } else if (member.name == "upstream") {
            members.upstream = member.value;
        } else if (member.name == "steps") {
            members.steps = member.value;
        } else if (member.name == "expect") {
            test.whole = read_expect(reading, member.value);
        } else {
            read_shared(reading, member, test);
        }
    }

    // What both a test and `defaults` may set.
    void read_shared(const Reading& reading, const Member& member, TestCase& test) {
        const auto merge = [](auto& into, auto from) {
            for (auto& [key, value] : from) {
                into[key] = std::move(value);
            }
        };
        if (member.name == "clock") {
            const auto time = parse_time(reading.values.text(member.value, "clock"));
            if (!time) {
                reading.values.fail(member.value, "clock has to be a time",
                                    "write it as 2026-01-01T00:00:00Z");
            }
            test.test.clock = *time;
            test.test.clock_given = true;
        } else if (member.name == "limits") {
            read_limits(reading, member.value, test.test.limits);
        } else if (member.name == "properties") {
            merge(test.test.properties, read_properties(reading, member.value));
        } else if (member.name == "shared_data") {
            merge(test.test.shared_data, read_texts(reading, member.value, "shared_data"));
        } else if (member.name == "foreign_functions") {
            merge(test.test.foreign_functions,
                  read_texts(reading, member.value, "foreign_functions"));
        } else if (member.name == "refuse") {
            merge(test.test.refuse, read_refusals(reading, member.value));
        } else if (member.name == "calls") {
            test.test.calls = read_calls(reading, member.value);
        }
    }

    void name_test(const Values& values, const yaml::Node& node, const std::string& row,
                   TestCase& test) {
        if (test.test.name.empty()) {
            plain_.fail(node, "a test has to have a name");
        }
        const auto* name = node.find("name");
        if (!row.empty() && name != nullptr && values.fill(name->text()) == name->text()) {
            test.test.name += row;
        }
    }

    Step make_step(const Reading& reading, const std::optional<Value>& request,
                   const std::optional<Value>& upstream) {
        Step step;
        for (const auto& member : defaults_) {
            if (member.name == "request" && request) {
                read_request(reading, reading.values.value(*member.value.node), step);
            } else if (member.name == "upstream") {
                read_upstream(reading, reading.values.value(*member.value.node), step);
            }
        }
        if (request) {
            read_request(reading, *request, step);
            complete_request(*step.request);
        }
        if (upstream) {
            read_upstream(reading, *upstream, step);
        }
        complete_response(step.upstream);
        return step;
    }

    void read_steps(const Reading& reading, const Value& value, TestCase& test,
                    const Members& members) {
        const auto& values = reading.values;
        if (members.steps) {
            if (members.request || members.upstream) {
                values.fail(*members.steps, "a test has either a request or steps");
            }
            for (const auto& item : values.items(*members.steps, "steps")) {
                read_step(reading, item, test);
            }
        } else if (members.request) {
            test.test.steps.push_back(make_step(reading, members.request, members.upstream));
            test.steps.emplace_back();
        } else if (members.upstream) {
            values.fail(*members.upstream, "an upstream answers a request: there is none",
                        "add request: {path: /}");
        }
        const auto& whole = test.whole;
        if (test.test.steps.empty() && (whole.response || whole.upstream_request || whole.calls)) {
            values.fail(value, "the test expects an exchange, and sends no request",
                        "add request: {path: /}");
        }
    }

    void read_step(const Reading& reading, const Value& item, TestCase& test) {
        const auto& values = reading.values;
        std::optional<Value> request;
        std::optional<Value> upstream;
        Step rest;
        Expect expect;
        for (const auto& member : values.members(
                 item, "a step", {"request", "upstream", "advance", "tick", "queue", "expect"})) {
            if (member.name == "request") {
                request = member.value;
            } else if (member.name == "upstream") {
                upstream = member.value;
            } else if (member.name == "advance") {
                rest.advance = values.duration(member.value, "advance");
            } else if (member.name == "tick") {
                rest.ticks = static_cast<int>(values.integer(member.value, "tick", 1, 100'000));
            } else if (member.name == "queue") {
                rest.push = read_push(values, member.value);
            } else {
                expect = read_expect(reading, member.value);
            }
        }
        Step step = make_step(reading, request, upstream);
        step.advance = rest.advance;
        step.ticks = rest.ticks;
        step.push = rest.push;
        test.test.steps.push_back(std::move(step));
        test.steps.push_back(std::move(expect));
    }

    static Step::Push read_push(const Values& values, const Value& value) {
        Step::Push push;
        for (const auto& action : values.members(value, "queue", {"push"})) {
            for (const auto& member :
                 values.members(action.value, "push", {"name", "data", "vm_id"})) {
                (member.name == "name"   ? push.queue
                 : member.name == "data" ? push.data
                                         : push.vm_id) = values.text(member.value, member.name);
            }
        }
        if (push.queue.empty()) {
            values.fail(value, "push has to name the queue",
                        "write queue: {push: {name: jobs, data: x}}");
        }
        return push;
    }

    void read_bench(const Value& item) {
        BenchCase bench;
        bench.place = plain_.place(item);
        const Reading reading{plain_, folder_};
        for (const auto& member : plain_.members(
                 item, "a bench entry", {"name", "use", "body", "requests", "warmup", "fail_if"})) {
            if (member.name == "name") {
                bench.name = plain_.text(member.value, "name");
            } else if (member.name == "use") {
                bench.use = plain_.text(member.value, "use");
            } else if (member.name == "body") {
                std::string body;
                for (const auto& chunk : read_body(reading, member.value)) {
                    body += chunk;
                }
                bench.body = std::move(body);
            } else if (member.name == "fail_if") {
                read_budgets(member.value, bench);
            } else {
                (member.name == "requests" ? bench.requests : bench.warmup) =
                    static_cast<int>(plain_.integer(member.value, member.name,
                                                    member.name == "requests" ? 1 : 0, 1'000'000));
            }
        }
        if (bench.use.empty()) {
            plain_.fail(item, "a bench entry has to name the test it repeats", "add use: NAME");
        }
        if (bench.name.empty()) {
            bench.name = bench.use;
        }
        result_.bench.push_back(std::move(bench));
    }

    void read_budgets(const Value& value, BenchCase& bench) {
        for (const auto& member :
             plain_.members(value, "fail_if",
                            {"instructions", "host_calls", "boundary_bytes", "memory_peak",
                             "memory_growth_per_1k", "load_ms", "regress"})) {
            if (member.name == "regress") {
                std::string text = plain_.text(member.value, "regress");
                if (text.ends_with('%')) {
                    text.pop_back();
                }
                char* end = nullptr;
                bench.regress = std::strtod(text.c_str(), &end);
                if (text.empty() || *end != '\0' || *bench.regress < 0) {
                    plain_.fail(member.value, "regress has to be a percentage", "write 5%");
                }
            } else {
                bench.budgets.push_back({member.name, plain_.expected(member.value, member.name)});
            }
        }
    }

    const yaml::File& file_;
    Values plain_;
    std::filesystem::path folder_;
    const ReadOptions& options_;
    TestFile result_;
    std::vector<Value> plugins_;
    std::optional<Value> envoy_;
    std::vector<Member> defaults_;
    bool versioned_ = false;
};

}  // namespace

TestFile parse_test_file(const yaml::File& file, const std::filesystem::path& path,
                         const ReadOptions& options) {
    file.checked();
    // Once for the whole file: a test with a thousand rows is read a thousand times.
    for (const auto& document : file.documents()) {
        for (const auto& twice : yaml::duplicate_keys(*document.root)) {
            throw file.error(twice.key.range(),
                             fmt::format("'{}' is given twice", twice.key.key_text()));
        }
    }
    return FileReader(file, path, options).read();
}

TestFile read_test_file(const std::filesystem::path& path, const ReadOptions& options) {
    return parse_test_file(yaml::File::read(path), path, options);
}

}  // namespace wasmplug::plugintest
