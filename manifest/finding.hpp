#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.hpp"
#include "manifest/rules.hpp"

namespace wasmplug::manifest {

// One thing wrong at one place, as one layer sees it.
struct Finding {
    const Rule* rule = nullptr;
    Level level = Level::error;
    Layer layer = Layer::api_server;
    std::string path;  // "spec.match[0].mode"; "" for the document
    yaml::Range range;
    std::string message;
    std::string fix;
};

// The way from the object's root to a value, kept on the stack of the walk: a path costs nothing
// until there is something to say about it.
class Trail {
  public:
    Trail() = default;

    Trail(const Trail& up, std::string_view key) : up_(&up), key_(key) {}

    Trail(const Trail& up, std::size_t index) : up_(&up), index_(index), is_index_(true) {}

    std::string to_string() const;

  private:
    const Trail* up_ = nullptr;
    std::string_view key_;
    std::size_t index_ = 0;
    bool is_index_ = false;
};

class Findings {
  public:
    // The rule's own level, layer and fix unless others are given. Throws std::logic_error for
    // an id that is not in the table.
    Finding& add(std::string_view rule, const Trail& trail, yaml::Range range, std::string message);

    std::vector<Finding>& all() { return all_; }

    const std::vector<Finding>& all() const { return all_; }

  private:
    std::vector<Finding> all_;
};

}  // namespace wasmplug::manifest
