#include "release/git_commit.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/git.hpp"
#include "base/text.hpp"

namespace wasmplug::release {
namespace {

namespace fs = std::filesystem;

// A link is followed, as it was for the text that was written.
ProcessResult git(std::vector<std::string> arguments, const std::vector<fs::path>& files,
                  Services& services) {
    arguments.insert(arguments.begin(), "--literal-pathspecs");
    arguments.emplace_back("--");
    for (const auto& file : files) {
        arguments.push_back(fs::weakly_canonical(file).string());
    }
    return run_git({.arguments = std::move(arguments),
                    .folder = fs::weakly_canonical(files.front()).parent_path(),
                    .with_hooks = true},
                   services.spawn, services.cancel);
}

std::string said(const ProcessResult& result) {
    std::string text = result.err.empty() ? result.out : result.err;
    while (text.ends_with('\n')) {
        text.pop_back();
    }
    return text;
}

}  // namespace

void commit_files(const std::vector<fs::path>& files, const std::string& message,
                  Services& services) {
    if (files.empty()) {
        return;
    }
    // One of them may be new to git, which 'commit' alone would refuse.
    for (const auto& argv : {std::vector<std::string>{"add"}, {"commit", "-q", "-m", message}}) {
        const auto result = git(argv, files, services);
        if (result.exit_code != 0) {
            throw Error(fmt::format("git {} failed: {}", argv.front(), said(result)),
                        "the files are changed; commit them yourself");
        }
    }
}

void refuse_uncommitted(const std::vector<fs::path>& files, Services& services) {
    if (files.empty()) {
        return;
    }
    const auto result = git({"status", "--porcelain", "--untracked-files=no"}, files, services);
    if (result.exit_code != 0) {
        throw Error(fmt::format("--commit cannot work here: {}", said(result)),
                    "nothing was written; leave --commit out");
    }
    if (!result.out.empty()) {
        const std::string first = first_line(result.out);
        throw Error(fmt::format("{} has changes that are not committed",
                                first.substr(std::min<std::size_t>(3, first.size()))),
                    "nothing was written; commit or stash them first, or leave --commit out");
    }
}

}  // namespace wasmplug::release
