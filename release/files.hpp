#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/services.hpp"
#include "base/target.hpp"
#include "release/located.hpp"
#include "release/step.hpp"

namespace wasmplug::release {

struct FileTargets {
    std::filesystem::path path;
    std::vector<Located> targets;
};

struct Selection {
    std::string name;         // --name
    std::string values_path;  // --path
    std::string image;        // only plugins of this repository ("ghcr.io/acme/auth"), when set
    bool every = false;       // all plugins of the file or folder are meant
};

// The plugins that TARGET and the selection mean: in a file exactly one (throws Error listing
// them otherwise; the image decides between several), in a folder every one of the image or name,
// of which there must be at least one. Files that do not speak of plugins are not parsed.
std::vector<FileTargets> open_targets(const Target& target, const Selection& selection,
                                      const Cancel& cancel);

// The one plugin of a file that the selection means; throws Error listing them when it is not one.
Located pick_one(const yaml::File& file, const Selection& selection);

// "ghcr.io/acme/auth" of an image url; "" for what is no image.
std::string repository_of(const std::string& url);

// What is to happen to one file, and what it becomes.
struct FileSteps {
    std::filesystem::path path;
    std::vector<Step> steps;
    std::string before;
    std::string after;
    std::vector<std::string> notes;
};

// Plans each target, and applies and proves the steps of each file. Nothing is written.
std::vector<FileSteps> prepare(const std::vector<FileTargets>& files,
                               const std::function<Step(const Located&)>& plan,
                               const Cancel& cancel);

// replace_files(); an error on the way says which were written before it. ExitCode::changed
// with nothing said of that means that nothing was written.
void write_files(const std::vector<Replacement>& files, const Cancel& cancel);

// Writes those that differ, and shows that it takes a while.
void write_steps(const std::vector<FileSteps>& files, Services& services);

}  // namespace wasmplug::release
