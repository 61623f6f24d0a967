#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/process.hpp"

namespace wasmplug::test {

// The real Envoy 1.40.0 that tools/test installed (WASMPLUG_ENVOY names another), or nothing.
std::optional<std::filesystem::path> envoy_binary();

// A bootstrap with one listener on port 0 of loopback that answers 200 and "upstream" itself,
// and in front of that the module with this configuration.
std::string envoy_bootstrap(const std::filesystem::path& module, std::string_view configuration);

// `envoy --mode validate`: loads the module, starts it and configures it (err holds its log).
ProcessResult envoy_validate(const std::string& bootstrap);

// A running Envoy, for as long as the object lives.
class Envoy {
  public:
    // Returns when it is ready; throws with its log when it ended instead.
    explicit Envoy(const std::string& bootstrap);
    Envoy(const Envoy&) = delete;
    Envoy& operator=(const Envoy&) = delete;
    ~Envoy();

    std::string url(const std::string& path = "/") const { return "http://" + listener_ + path; }

    std::string admin_url(const std::string& path) const { return "http://" + admin_ + path; }

    std::string log() const;

  private:
    TemporaryDirectory folder_;
    mutable std::mutex mutex_;
    std::string log_;
    std::string admin_;
    std::string listener_;
    std::optional<Child> child_;
};

}  // namespace wasmplug::test
