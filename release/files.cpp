#include "release/files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/image_reference.hpp"
#include "base/parallel.hpp"
#include "manifest/sources.hpp"

namespace wasmplug::release {
namespace fs = std::filesystem;

namespace {

constexpr auto npos = std::string_view::npos;

// Screening by a word before parsing keeps charts and other people's files out of the way.
bool may_hold_plugins(std::string_view text, const Selection& selection) {
    constexpr std::array<std::string_view, 5> words{
        "WasmPlugin", "TrafficExtension", "EnvoyExtensionPolicy", "# wasmplug:", "/spec/url"};
    return !selection.values_path.empty() || std::ranges::any_of(words, [&](std::string_view word) {
        return text.find(word) != npos;
    });
}

bool matches_image(const Located& located, const std::string& image) {
    const Site* url = located.site(Role::url);
    return image.empty() || (url != nullptr && repository_of(url->text()) == image);
}

std::string list_of(const std::vector<Located>& all) {
    std::string text;
    for (const auto& located : all) {
        text += text.empty() ? "" : ", ";
        text += located.ns.empty() ? located.name : located.ns + "/" + located.name;
        text += fmt::format(" (line {})", located.file.position(located.range.begin).line);
    }
    return text;
}

std::vector<Located> targets_in(const yaml::File& file, const Selection& selection) {
    return locate(file, {.name = selection.name, .values_path = selection.values_path});
}

std::vector<Located> pick(const yaml::File& file, const Selection& selection) {
    const std::string& path = file.name();
    std::vector<Located> all = targets_in(file, selection);
    if (all.size() > 1 && !selection.image.empty()) {
        auto of_image = all;
        std::erase_if(of_image,
                      [&](const Located& l) { return !matches_image(l, selection.image); });
        all = of_image.empty() ? all : of_image;
    }
    if (all.empty()) {
        if (!selection.name.empty()) {
            throw Error(fmt::format("{} holds no plugin called {}", path, selection.name));
        }
        throw Error(fmt::format("{} holds no plugin", path),
                    selection.values_path.empty()
                        ? "it may be a WasmPlugin, a TrafficExtension, an EnvoyExtensionPolicy, a "
                          "kustomize patch, Helm values (--path wasm.url) or hold a marker"
                        : fmt::format("there is no {} in it", selection.values_path));
    }
    if (all.size() > 1 && !selection.every) {
        throw usage_error(fmt::format("{} holds {} plugins: {}", path, all.size(), list_of(all)),
                          "name one with --name NS/NAME");
    }
    return all;
}

std::vector<FileTargets> open_folder(const fs::path& root, const Selection& selection,
                                     const Cancel& cancel) {
    if (!selection.every && selection.name.empty() && selection.image.empty() &&
        selection.values_path.empty()) {
        throw usage_error(
            fmt::format("{} is a folder: which plugin in it is meant?", root.string()),
            "give an image or --name");
    }
    auto paths = find_files(
        root, [](const fs::path& path) { return manifest::is_manifest_name(path.native()); });
    for (auto& path : paths) {
        path = path.lexically_normal();  // "./a.yaml" is a.yaml, in a diff most of all
    }
    auto found = parallel(
        paths.size(),
        [&](std::size_t i) -> std::optional<FileTargets> {
            std::string text = read_file(paths[i]);
            if (!may_hold_plugins(text, selection)) {
                return std::nullopt;
            }
            auto all = targets_in(yaml::File::parse(std::move(text), paths[i].string()), selection);
            std::erase_if(all,
                          [&](const Located& l) { return !matches_image(l, selection.image); });
            if (all.empty()) {
                return std::nullopt;
            }
            return FileTargets{paths[i], std::move(all)};
        },
        cancel);
    std::vector<FileTargets> files;
    for (auto& one : found) {
        if (one) {
            files.push_back(std::move(*one));
        }
    }
    if (files.empty()) {
        throw Error(fmt::format("no file in {} holds a plugin{}", root.string(),
                                selection.every           ? ""
                                : selection.image.empty() ? " called " + selection.name
                                                          : " of " + selection.image));
    }
    return files;
}

}  // namespace

Located pick_one(const yaml::File& file, const Selection& selection) {
    return pick(file, selection).front();
}

std::string repository_of(const std::string& url) {
    if (url.starts_with("http://") || url.starts_with("https://") || url.starts_with("file://")) {
        return {};
    }
    const auto reference = try_parse_reference(url);
    return reference ? reference->name() : std::string();
}

std::vector<FileTargets> open_targets(const Target& target, const Selection& selection,
                                      const Cancel& cancel) {
    if (target.kind == Target::Kind::live) {
        throw Error(fmt::format("{}/{} is an object in a cluster, which cannot be changed yet",
                                target.resource, target.name),
                    "give the file that declares it");
    }
    if (target.kind == Target::Kind::folder) {
        return open_folder(target.path, selection, cancel);
    }
    return {{target.path, pick(yaml::File::read(target.path), selection)}};
}

std::vector<FileSteps> prepare(const std::vector<FileTargets>& files,
                               const std::function<Step(const Located&)>& plan,
                               const Cancel& cancel) {
    return parallel(
        files.size(),
        [&](std::size_t i) {
            FileSteps file{
                .path = files[i].path, .steps = {}, .before = {}, .after = {}, .notes = {}};
            for (const auto& located : files[i].targets) {
                file.steps.push_back(plan(located));
            }
            Applied applied = apply_steps(file.steps);
            file.before = *files[i].targets.front().text;
            file.after = std::move(applied.text);
            file.notes = std::move(applied.notes);
            return file;
        },
        cancel);
}

void write_steps(const std::vector<FileSteps>& files, Services& services) {
    std::vector<Replacement> texts;
    for (const auto& file : files) {
        if (file.after != file.before) {
            texts.push_back({file.path, file.before, file.after});
            std::error_code ignored;
            const auto names = fs::hard_link_count(file.path, ignored);
            if (!ignored && names > 1) {
                services.out.warn(
                    fmt::format("{} is a hard link: its other {} the old text", file.path.string(),
                                names == 2 ? "name keeps" : "names keep"),
                    "a symbolic link would be followed");
            }
        }
    }
    // Each is synced to the disk: many take a while.
    services.out.progress(texts.size() > 1 ? fmt::format("writing {} files", texts.size()) : "");
    write_files(texts, services.cancel);
    services.out.progress("");
}

namespace {

// "a.yaml, b.yaml and 3 more"
std::string some_of(const std::vector<std::string>& names) {
    constexpr std::size_t most = 5;
    const std::size_t shown = names.size() <= most + 1 ? names.size() : most;
    std::string text;
    for (std::size_t i = 0; i < shown; ++i) {
        text += (i == 0 ? "" : ", ") + names[i];
    }
    return shown == names.size() ? text : fmt::format("{} and {} more", text, names.size() - shown);
}

// Another file could take its name all the same, and somebody said no.
void refuse_read_only(const Replacement& file) {
    constexpr auto writable =
        fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
    std::error_code failure;
    const auto status = fs::status(file.path, failure);
    if (failure || file.before == file.after) {
        return;  // whoever reads it says so
    }
    const bool marked = (status.permissions() & writable) == fs::perms::none;
    if (marked || ::access(file.path.c_str(), W_OK) != 0) {
        throw Error(fmt::format("{} cannot be written: {}", file.path.string(),
                                marked ? "it is read-only" : std::strerror(errno)),
                    "nothing was written");
    }
}

// What is on the disk now tells which files were written, in whatever order that was.
std::string told(const std::vector<Replacement>& files) {
    std::vector<std::string> written;
    std::vector<std::string> left;
    for (const auto& file : files) {
        const bool is_new = read_file_if_there(file.path) == file.after;
        (is_new ? written : left).push_back(file.path.string());
    }
    if (left.empty()) {
        return "every file has its new text, which the disk may not hold yet: do it again";
    }
    return fmt::format("written before: {}; not written: {}; do it again to go on",
                       some_of(written), some_of(left));
}

}  // namespace

void write_files(const std::vector<Replacement>& files, const Cancel& cancel) {
    std::ranges::for_each(files, refuse_read_only);
    std::size_t written = 0;
    try {
        replace_files(files, cancel, written);
    } catch (const Error& error) {
        if (written == 0) {
            throw;
        }
        throw Error(fmt::format("{} ({} of {} files were written)", error.full_message(), written,
                                files.size()),
                    told(files), error.code());
    }
}

}  // namespace wasmplug::release
