#include "toolchain/scaffold.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"

namespace wasmplug::toolchain {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_name = 50;
constexpr std::size_t most_files = 10'000;
constexpr std::size_t most_bytes = std::size_t{64} << 20;

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// "rate-limit" -> "rate_limit"
std::string snake_case(std::string name) {
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

// "rate-limit" -> "RateLimit"
std::string pascal_case(std::string_view name) {
    std::string out;
    bool first = true;
    for (const char c : name) {
        if (c == '-') {
            first = true;
        } else {
            out += first && is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
            first = false;
        }
    }
    return out;
}

// The new name may itself hold "my-plugin" or "my_plugin": one pass, so that nothing that was
// put in is looked at again.
std::string with_name(std::string_view text, std::string_view name) {
    const std::array<std::pair<std::string_view, std::string>, 3> spellings = {{
        {"my-plugin", std::string(name)},
        {"my_plugin", snake_case(std::string(name))},
        {"MyPlugin", pascal_case(name)},
    }};
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto* hit = &spellings[0];
        std::size_t where = std::string_view::npos;
        for (const auto& spelling : spellings) {
            if (const auto at = text.find(spelling.first); at < where) {
                where = at;
                hit = &spelling;
            }
        }
        out += text.substr(0, where);
        if (where == std::string_view::npos) {
            break;
        }
        out += hit->second;
        text.remove_prefix(where + hit->first.size());
    }
    return out;
}

bool is_leftover(const fs::path& name) {
    return name == ".git" || name == "build" || name == "dist" || name == "target" ||
           name == "node_modules";
}

// A template from elsewhere must not carry a file of this machine into a project that is shared.
void refuse_outward(const fs::path& link, const fs::path& folder) {
    const fs::path target = fs::weakly_canonical(link);
    const fs::path relative = target.lexically_relative(fs::weakly_canonical(folder));
    if (relative.empty() || *relative.begin() == "..") {
        throw Error(
            fmt::format("{} leads out of the template, to {}", link.string(), target.string()),
            "put the file itself there");
    }
    if (fs::is_directory(target)) {
        throw Error(fmt::format("{} is a link to a folder", link.string()),
                    "put the folder itself there");
    }
}

// Takes back what a failed run has written, in reverse.
class Undo {
  public:
    Undo() = default;
    Undo(const Undo&) = delete;
    Undo& operator=(const Undo&) = delete;

    ~Undo() {
        if (done_) {
            return;
        }
        std::error_code ignored;
        for (auto file = files_.rbegin(); file != files_.rend(); ++file) {
            if (!file->before) {
                fs::remove(file->path, ignored);
                continue;
            }
            try {
                write_file(file->path, *file->before);
            } catch (const Error&) {
                // The first failure is the one that is reported.
            }
        }
        for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder) {
            fs::remove(*folder, ignored);
        }
    }

    void created(fs::path folder) { folders_.push_back(std::move(folder)); }

    void will_write(fs::path path) {
        auto before = read_file_if_there(path);
        files_.push_back({std::move(path), std::move(before)});
    }

    void done() { done_ = true; }

  private:
    struct File {
        fs::path path;
        std::optional<std::string> before;
    };

    std::vector<fs::path> folders_;
    std::vector<File> files_;
    bool done_ = false;
};

void make_folders(const fs::path& folder, Undo& undo) {
    if (folder.empty() || fs::is_directory(folder)) {
        return;
    }
    make_folders(folder.parent_path(), undo);
    std::error_code failed;
    fs::create_directory(folder, failed);
    if (failed) {
        throw system_error("cannot create " + folder.string(), failed.value());
    }
    undo.created(folder);
}

}  // namespace

const Template* find_template(std::string_view language, std::string_view pattern) {
    for (const auto& candidate : templates()) {
        if (candidate.language == language && candidate.pattern == pattern) {
            return &candidate;
        }
    }
    return nullptr;
}

const std::vector<std::string>& template_languages() {
    static const std::vector<std::string> languages = {"rust", "go", "cpp", "assemblyscript"};
    return languages;
}

const std::vector<std::string>& template_patterns() {
    static const std::vector<std::string> patterns = {"response-headers", "transform", "ext-auth",
                                                      "shared-cache"};
    return patterns;
}

std::string_view describe_pattern(std::string_view pattern) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> texts = {{
        {"response-headers", "sets a response header, by status code"},
        {"transform", "adds and removes headers, logs and rewrites bodies"},
        {"ext-auth", "asks another service whether a request may pass"},
        {"shared-cache", "answers GET requests from a cache that all workers share"},
    }};
    for (const auto& [name, text] : texts) {
        if (name == pattern) {
            return text;
        }
    }
    return {};
}

std::optional<std::string> plugin_name_fault(std::string_view name) {
    if (name.empty()) {
        return "a plugin's name must not be empty";
    }
    if (name.size() > longest_name) {
        return fmt::format("a plugin's name has at most {} characters", longest_name);
    }
    if (!is_lower(name.front())) {
        return "a plugin's name starts with a lower-case letter";
    }
    if (name.back() == '-' || name.find("--") != std::string_view::npos ||
        !std::all_of(name.begin(), name.end(),
                     [](char c) { return is_lower(c) || is_digit(c) || c == '-'; })) {
        return "a plugin's name consists of lower-case letters, digits and single hyphens";
    }
    return std::nullopt;
}

std::string plugin_name_from(std::string_view folder) {
    std::string name;
    for (const char c : folder) {
        const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        const bool kept = is_lower(lower) || (is_digit(lower) && !name.empty());
        if (kept) {
            name += lower;
        } else if (!name.empty() && name.back() != '-') {
            name += '-';
        }
    }
    name.resize(std::min(name.size(), longest_name));
    while (!name.empty() && name.back() == '-') {
        name.pop_back();
    }
    return name;
}

NewFile render(NewFile file, std::string_view name) {
    file.path = with_name(file.path.generic_string(), name);
    if (file.text.find('\0') == std::string::npos) {
        file.text = with_name(file.text, name);
    }
    return file;
}

std::vector<NewFile> render(const Template& source, std::string_view name) {
    std::vector<NewFile> files;
    for (const auto& file : source.files) {
        files.push_back(render({.path = file.path, .text = std::string(file.text)}, name));
    }
    std::sort(files.begin(), files.end(),
              [](const NewFile& a, const NewFile& b) { return a.path < b.path; });
    return files;
}

std::vector<NewFile> read_template_folder(const fs::path& folder) {
    if (!fs::is_directory(folder)) {
        throw usage_error(folder.string() + " is no folder", "--template takes a project's folder");
    }
    std::vector<NewFile> files;
    std::size_t bytes = 0;
    for (fs::recursive_directory_iterator entry(folder), end; entry != end; ++entry) {
        if (is_leftover(entry->path().filename()) && entry->is_directory()) {
            entry.disable_recursion_pending();
            continue;
        }
        if (entry->is_symlink()) {
            refuse_outward(entry->path(), folder);
        }
        if (!entry->is_regular_file()) {
            continue;
        }
        std::string text = read_file(entry->path(), most_bytes);
        bytes += text.size();
        if (bytes > most_bytes || files.size() == most_files) {
            throw Error(folder.string() + " is too large for a template",
                        "at most 10,000 files of 64 MiB in all");
        }
        const bool executable =
            (entry->status().permissions() & fs::perms::owner_exec) != fs::perms::none;
        files.push_back({.path = entry->path().lexically_relative(folder),
                         .text = std::move(text),
                         .mode = executable ? 0755U : 0644U});
    }
    if (files.empty()) {
        throw Error(folder.string() + " holds no file");
    }
    std::sort(files.begin(), files.end(),
              [](const NewFile& a, const NewFile& b) { return a.path < b.path; });
    return files;
}

void write_project(const fs::path& root, const std::vector<NewFile>& files, Existing existing) {
    if (existing == Existing::keep) {
        constexpr std::size_t most_named = 3;
        std::vector<std::string> there;
        for (const auto& file : files) {
            if (fs::exists(fs::symlink_status(root / file.path))) {
                there.push_back(file.path.generic_string());
            }
        }
        if (!there.empty()) {
            const std::size_t named = std::min(there.size(), most_named);
            const std::string more =
                there.size() > named ? fmt::format(" and {} more", there.size() - named) : "";
            there.resize(named);
            throw Error(
                fmt::format("{} already holds {}{}", root.string(), fmt::join(there, ", "), more),
                "nothing was written; --force overwrites");
        }
    }
    Undo undo;
    for (const auto& file : files) {
        const fs::path path = root / file.path;
        make_folders(path.parent_path(), undo);
        undo.will_write(path);
        write_file(path, file.text, file.mode);
    }
    undo.done();
}

}  // namespace wasmplug::toolchain
