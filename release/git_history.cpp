#include "release/git_history.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "base/error.hpp"
#include "base/git.hpp"
#include "base/text.hpp"

namespace wasmplug::release {
namespace {

// %x01 starts a commit: a NUL cannot, since -z ends the fields with it.
constexpr std::string_view log_format = "--format=%x01%H%x00%an%x00%aI%x00%s";

// One change that `git log --raw -z` printed, and the blob that it left.
struct GitLogEntry {
    std::string commit, author, at, subject, blob, path;
};

ProcessResult git(const std::filesystem::path& folder, std::vector<std::string> arguments,
                  Services& services, std::string input = {}) {
    arguments.insert(arguments.begin(), "--literal-pathspecs");
    return run_git({.arguments = std::move(arguments),
                    .folder = folder,
                    .input = std::move(input),
                    .may_fetch = false},
                   services.spawn, services.cancel);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find(separator, begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

// ":100644 100644 OLD NEW M" with the path, or the old and the new one, in the fields after it.
void read_raw_change(const std::vector<std::string_view>& fields, std::size_t at, GitLogEntry entry,
                     std::vector<GitLogEntry>& entries) {
    const auto columns = split(fields[at].substr(fields[at].find(':')), ' ');
    if (columns.size() != 5 || columns[4].empty()) {
        return;
    }
    const char kind = columns[4].front();
    const std::size_t path_at = at + (kind == 'R' || kind == 'C' ? 2 : 1);
    if (kind == 'D' || path_at >= fields.size()) {
        return;
    }
    entry.blob = columns[3];
    entry.path = fields[path_at];
    entries.push_back(std::move(entry));
}

// Parses what read_git_history asks git log for. Deletions are left out.
std::vector<GitLogEntry> parse_git_log(std::string_view output) {
    std::vector<GitLogEntry> entries;
    for (const auto record : split(output, '\x01')) {
        const auto fields = split(record, '\0');
        if (fields.size() < 5) {
            continue;
        }
        GitLogEntry entry;
        entry.commit = fields[0];
        entry.author = fields[1];
        entry.at = fields[2];
        entry.subject = fields[3];
        for (std::size_t i = 4; i < fields.size(); ++i) {
            // git ends the message with a newline that -z does not take away.
            if (fields[i].starts_with("\n:") || fields[i].starts_with(':')) {
                read_raw_change(fields, i, entry, entries);
                break;
            }
        }
    }
    return entries;
}

// The blobs of `git cat-file --batch`, in the order asked for; throws Error when one is missing.
std::vector<std::string> parse_git_blobs(std::string_view output, std::size_t count) {
    std::vector<std::string> blobs;
    while (blobs.size() < count) {
        const std::size_t end = output.find('\n');
        if (end == std::string_view::npos) {
            throw Error("git cat-file broke off");
        }
        const auto header = split(output.substr(0, end), ' ');
        if (header.size() != 3 || header[1] != "blob") {
            throw Error(fmt::format("git has no object {}", header[0]),
                        "a partial clone keeps some files away: run git fetch --refetch");
        }
        std::size_t size = 0;
        std::from_chars(header[2].data(), header[2].data() + header[2].size(), size);
        output.remove_prefix(end + 1);
        if (output.size() < size + 1) {
            throw Error("git cat-file broke off");
        }
        blobs.emplace_back(output.substr(0, size));
        output.remove_prefix(size + 1);
    }
    return blobs;
}

}  // namespace

GitHistory read_git_history(const std::filesystem::path& file, Services& services,
                            std::size_t limit) {
    GitHistory history;
    const auto resolved = std::filesystem::weakly_canonical(file);
    const auto folder = resolved.parent_path();
    ProcessResult where;
    try {
        where = git(folder, {"rev-parse", "--is-shallow-repository", "--verify", "-q", "HEAD"},
                    services);
    } catch (const Error& error) {
        if (error.code() == ExitCode::interrupted) {
            throw;
        }
        history.absence = "git is not installed";
        return history;
    }
    if (where.exit_code != 0) {
        const bool outside = where.err.find("not a git repository") != std::string::npos;
        history.absence = outside             ? "it is not in a git work tree"
                          : where.err.empty() ? "nothing was committed there yet"
                                              : "git says: " + first_line(where.err);
        return history;
    }
    history.shallow = where.out.starts_with("true");

    const ProcessResult log =
        git(folder,
            {"log", "--first-parent", "--diff-merges=first-parent", "--follow", "--raw", "-z",
             "--no-abbrev", "--no-ext-diff", "--no-textconv", "--no-show-signature",
             fmt::format("--max-count={}", limit + 1), std::string(log_format), "--",
             resolved.filename().string()},
            services);
    if (log.exit_code != 0) {
        throw Error(fmt::format("git log failed: {}", first_line(log.err)));
    }
    auto entries = parse_git_log(log.out);
    if (entries.size() > limit) {
        entries.resize(limit);
        history.truncated = true;
    }
    std::string wanted;
    for (const auto& entry : entries) {
        wanted += entry.blob + '\n';
    }
    if (entries.empty()) {
        return history;
    }
    const ProcessResult blobs = git(folder, {"cat-file", "--batch"}, services, std::move(wanted));
    if (blobs.exit_code != 0) {
        throw Error(fmt::format("git cat-file failed: {}", first_line(blobs.err)));
    }
    auto texts = parse_git_blobs(blobs.out, entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
        auto& entry = entries[i];
        history.versions.push_back({std::move(entry.commit), std::move(entry.author),
                                    std::move(entry.at), std::move(entry.subject),
                                    std::move(entry.path), std::move(texts[i])});
    }
    return history;
}

}  // namespace wasmplug::release
