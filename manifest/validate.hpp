#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "istio/releases.hpp"
#include "manifest/finding.hpp"
#include "manifest/layers.hpp"
#include "manifest/objects.hpp"

namespace wasmplug::manifest {

struct ValidateSettings {
    std::vector<istio::Release> releases = {istio::newest_release()};
    RuntimeSettings runtime;
    bool strict = true;  // false: what a lenient client would get is a warning, not an error
    // Documents without apiVersion and kind, and text that is no YAML, are errors only where
    // they name one of our kinds; else they are passed over.
    bool only_ours = false;
};

enum class Verdict { ok, warning, error, skipped };

std::string_view to_string(Verdict verdict);

// Of findings of one layer, or of all.
template <class Findings>
Verdict worst(const Findings& findings, const Layer* layer = nullptr) {
    auto verdict = Verdict::ok;
    for (const auto& finding : findings) {
        if (layer != nullptr && finding.layer != *layer) {
            continue;
        }
        if (finding.level == Level::error) {
            return Verdict::error;
        }
        if (finding.level == Level::warning) {
            verdict = Verdict::warning;
        }
    }
    return verdict;
}

// One document, or item of a List, and everything that is wrong with it.
struct Checked {
    Object object;
    std::vector<Finding> findings;  // by place
    std::string skipped;            // why; empty when it was judged

    Verdict verdict() const;

    // Of the findings of one layer; hints are ok.
    Verdict verdict(Layer layer) const;
};

// A rule that looks at one object beside its layers: a policy, the facts of an artefact.
using ObjectRule = std::function<void(const Object&, Findings&)>;

// Judges an object by itself. Comments that silence rules are not looked at yet:
// manifest/result.hpp does, once rules that compare objects have spoken too.
Checked validate(const Object& object, const ValidateSettings& settings,
                 std::span<const ObjectRule> further = {});

// Every object of a file.
std::vector<Checked> validate(const yaml::File& file, const ValidateSettings& settings);

}  // namespace wasmplug::manifest
