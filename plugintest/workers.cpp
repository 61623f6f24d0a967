#include "plugintest/workers.hpp"

#include <fmt/format.h>

#include <csignal>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"

namespace wasmplug::plugintest {
namespace {

using nlohmann::ordered_json;

std::string job_json(const WorkerJob& job) {
    const auto& options = job.options;
    ordered_json json{{"file", job.file},         {"module", job.module},
                      {"filter", options.filter}, {"repeat", options.repeat},
                      {"trace", options.trace},   {"first", options.first}};
    if (options.shuffle) {
        json["shuffle"] = *options.shuffle;
    }
    return compact_json(json);
}

WorkerJob parse_job(const std::string& text) {
    const auto json = parse_json(text, "the job");
    WorkerJob job;
    job.file = json.at("file").get<std::string>();
    job.module = json.at("module").get<std::string>();
    job.options.filter = json.at("filter").get<std::string>();
    job.options.repeat = json.at("repeat").get<int>();
    job.options.trace = json.at("trace").get<bool>();
    job.options.first = json.at("first").get<std::size_t>();
    if (json.contains("shuffle")) {
        job.options.shuffle = json.at("shuffle").get<std::uint64_t>();
    }
    return job;
}

// What came from one worker process.
struct Session {
    std::vector<CaseResult> results;
    std::optional<CaseResult> running;
    bool done = false;
    std::string error;
    std::string hint;
};

void take(const std::string& line, Session& session) {
    const auto json = parse_json(line, "a worker's message", 100);
    if (json.contains("start")) {
        CaseResult running;
        running.name = json.at("start").get<std::string>();
        running.place = {json.at("line").get<std::size_t>(), json.at("column").get<std::size_t>()};
        session.running = std::move(running);
    } else if (json.contains("result")) {
        session.results.push_back(case_result_from_json(json.at("result")));
        session.running.reset();
    } else if (json.contains("error")) {
        session.error = json.at("error").get<std::string>();
        session.hint = json.at("hint").get<std::string>();
    } else {
        session.done = true;
    }
}

std::string cause_of(const ProcessResult& ended, const WorkerLimits& limits) {
    constexpr int signal_base = 128;
    if (ended.timed_out) {
        return fmt::format("it did not end within {} s",
                           std::chrono::duration_cast<std::chrono::seconds>(limits.time).count());
    }
    switch (ended.exit_code) {
        case signal_base + SIGXCPU:
        case signal_base + SIGKILL:
            return fmt::format("it used more than {} s of processor time",
                               limits.processor.count());
        case signal_base + SIGSEGV:
            return "it ran out of stack or memory (SIGSEGV)";
        case signal_base + SIGABRT:
            return "the interpreter gave up (SIGABRT)";
        default:
            return fmt::format("it ended with {}", ended.exit_code);
    }
}

TestFile read_job_file(const WorkerJob& job) {
    ReadOptions options;
    if (!job.module.empty()) {
        options.module = job.module;
    }
    return read_test_file(job.file, options);
}

}  // namespace

FileResult run_in_worker(const WorkerProgram& program, const WorkerJob& job,
                         const WorkerLimits& limits, const Spawn& spawn, const Cancel& cancel) {
    FileResult result;
    result.file = job.file;
    WorkerJob rest = job;
    for (;;) {
        Session session;
        std::string partial;
        ProcessSpec spec;
        spec.argv = {program.program, worker_command};
        spec.input = job_json(rest);
        if (program.serve) {
            spec.in_fork = [&] {
                program.serve(spec.input);
                return 0;
            };
        }
        spec.timeout = limits.time;
        spec.memory_limit = limits.memory;
        spec.processor_limit = limits.processor;
        spec.on_stdout = [&](std::string_view text) {
            partial += text;
            for (auto end = partial.find('\n'); end != std::string::npos;
                 end = partial.find('\n')) {
                take(partial.substr(0, end), session);
                partial.erase(0, end + 1);
            }
        };
        const auto ended = spawn(spec, cancel);
        for (auto& each : session.results) {
            result.cases.push_back(std::move(each));
        }
        if (session.done || !session.error.empty()) {
            result.error = session.error;
            result.hint = session.hint;
            return result;
        }
        if (!session.running) {
            result.error = fmt::format("the worker ended: {}", cause_of(ended, limits));
            result.hint = ended.err;
            return result;
        }
        auto lost = std::move(*session.running);
        lost.verdict = Verdict::failed;
        lost.outcome = "worker_died";
        lost.reason =
            fmt::format("the worker process ended in this test: {}", cause_of(ended, limits));
        lost.failures.push_back({"outcome", "a result", lost.reason, {}, lost.place});
        result.cases.push_back(std::move(lost));
        rest.options.first = job.options.first + result.cases.size();
    }
}

std::string file_result_text(const FileResult& result) {
    auto cases = ordered_json::array();
    for (const auto& each : result.cases) {
        cases.push_back(to_json(each));
    }
    return compact_json({{"file", result.file},
                         {"error", result.error},
                         {"hint", result.hint},
                         {"cases", std::move(cases)}});
}

FileResult parse_file_result(const std::string& text) {
    const auto json = parse_json(text, "a result", 100);
    FileResult result;
    result.file = json.at("file").get<std::string>();
    result.error = json.at("error").get<std::string>();
    result.hint = json.at("hint").get<std::string>();
    for (const auto& each : json.at("cases")) {
        result.cases.push_back(case_result_from_json(each));
    }
    return result;
}

FileResult run_here(const WorkerJob& job, const Engine& engine,
                    const std::function<TestCase(TestCase)>& adapt) {
    FileResult result;
    result.file = job.file;
    try {
        auto file = read_job_file(job);
        for (auto& test : file.tests) {
            test = adapt ? adapt(std::move(test)) : std::move(test);
        }
        run_file(
            file, engine, job.options, [](const TestCase&) {},
            [&](CaseResult each) { result.cases.push_back(std::move(each)); });
    } catch (const Error& error) {
        if (error.code() == ExitCode::interrupted) {
            throw;
        }
        result.error = error.full_message();
        result.hint = error.hint();
    }
    return result;
}

void serve_worker(const std::string& input, const Engine& engine,
                  const std::function<void(const std::string&)>& send) {
    const auto send_json = [&](const ordered_json& json) {
        send(compact_json(json));
    };
    try {
        const auto job = parse_job(input);
        const auto file = read_job_file(job);
        run_file(
            file, engine, job.options,
            [&](const TestCase& test) {
                send_json({{"start", test.test.name},
                           {"line", test.place.line},
                           {"column", test.place.column}});
            },
            [&](const CaseResult& result) {
                send_json({{"result", to_json(result)}});
            });
        send_json({{"done", true}});
    } catch (const Error& error) {
        send_json({{"error", error.full_message()}, {"hint", error.hint()}});
    } catch (const std::exception& error) {
        send_json({{"error", error.what()}, {"hint", ""}});
    }
}

}  // namespace wasmplug::plugintest
