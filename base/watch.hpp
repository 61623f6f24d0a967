#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <vector>

#include "base/cancel.hpp"
#include "base/fd.hpp"

namespace wasmplug {

// Tells when files below some folders change, by inotify. Folders that are made later are
// watched too; those that `entered` refuses never are.
class Watch {
  public:
    Watch(const std::vector<std::filesystem::path>& folders,
          std::function<bool(const std::filesystem::path& folder)> entered);

    // The files that were written, made, moved or removed since the last call, sorted, once
    // nothing more has happened for `quiet`: editors write a file in several steps.
    // Waits as long as it takes; throws as Cancel::check does.
    std::vector<std::filesystem::path> wait(
        const Cancel& cancel, std::chrono::milliseconds quiet = std::chrono::milliseconds(150));

  private:
    void add(const std::filesystem::path& folder);
    // True when something came within the time; -1 ms waits for ever.
    bool poll(const Cancel& cancel, int milliseconds) const;

    Fd fd_;
    std::function<bool(const std::filesystem::path&)> entered_;
    std::map<int, std::filesystem::path> folders_;
};

}  // namespace wasmplug
