#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/yaml.hpp"
#include "manifest/rules.hpp"

namespace wasmplug::manifest {

// The one right answer, for a rule with a Mending.
struct Right {
    std::string text;        // the value or the key; of a removal nothing
    bool is_number = false;  // else the value is a string
    bool in_list = false;    // the value as it is, as the only item of a list

    bool operator==(const Right&) const = default;
};

// What to write instead: a sentence, and the answer itself when there is but one.
struct Remedy {
    std::string sentence;
    std::optional<Right> right = {};
};

// One thing wrong at one place, as one layer sees it.
struct Finding {
    const Rule* rule = nullptr;
    Level level = Level::error;
    Layer layer = Layer::api_server;
    std::string path;  // "spec.match[0].mode"; "" for the document
    yaml::Range range;
    std::string message;
    std::string fix;
    std::optional<Right> right = {};

    void remedy(Remedy remedy) {
        fix = std::move(remedy.sentence);
        right = std::move(remedy.right);
    }

    void write_instead(const std::string& value) { remedy({"write " + value, Right{value}}); }
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

// What is wrong with one object. Of a rule the first hundred are kept and the others counted: a
// file with a million unknown fields is answered as soon as any other.
class Findings {
  public:
    // The rule's own level, layer and fix unless others are given. Throws std::logic_error for
    // an id that is not in the table.
    Finding& add(std::string_view rule, const Trail& trail, yaml::Range range, std::string message);

    // Whether another finding of this rule would only be counted, so that nobody need work out
    // what to write instead.
    bool is_full(std::string_view rule) const;

    // Everything, with the number of those that were left out.
    std::vector<Finding> take();

    std::vector<Finding>& all() { return all_; }

    const std::vector<Finding>& all() const { return all_; }

  private:
    struct Count {
        const Rule* rule;
        std::size_t found;
    };

    std::vector<Finding> all_;
    std::vector<Count> counts_;
    Finding left_out_;
};

}  // namespace wasmplug::manifest
