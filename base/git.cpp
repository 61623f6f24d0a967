#include "base/git.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace wasmplug {

ProcessResult run_git(const GitCall& call, const Spawn& spawn, const Cancel& cancel) {
    ProcessSpec spec;
    spec.argv = {"git", "--no-pager", "-c", "core.fsmonitor=false"};
    if (!call.with_hooks) {
        spec.argv.insert(spec.argv.end(), {"-c", "core.hooksPath=/dev/null"});
    }
    spec.argv.insert(spec.argv.end(), call.arguments.begin(), call.arguments.end());
    spec.directory = call.folder;
    // git sets the first five for a hook, relative to a folder that need not be ours.
    spec.env = {{"GIT_DIR", std::nullopt},
                {"GIT_WORK_TREE", std::nullopt},
                {"GIT_INDEX_FILE", std::nullopt},
                {"GIT_PREFIX", std::nullopt},
                {"GIT_COMMON_DIR", std::nullopt},
                {"GIT_EXTERNAL_DIFF", std::nullopt},
                {"GIT_OPTIONAL_LOCKS", "0"},
                {"GIT_TERMINAL_PROMPT", "0"},
                {"LC_ALL", "C.UTF-8"}};
    if (!call.may_fetch) {
        spec.env.emplace_back("GIT_NO_LAZY_FETCH", "1");
    }
    spec.input = call.input;
    spec.output_limit = std::size_t{512} << 20;
    spec.timeout = call.timeout;
    return spawn(spec, cancel);
}

std::string git_output(const GitCall& call, const Spawn& spawn, const Cancel& cancel) {
    ProcessResult result = run_git(call, spawn, cancel);
    if (result.exit_code != 0) {
        throw Error(fmt::format("git {}: {}", call.arguments.front(), first_line(result.err)));
    }
    return std::move(result.out);
}

}  // namespace wasmplug
