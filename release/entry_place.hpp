#pragma once

#include <optional>
#include <string>

#include "base/yaml_edit.hpp"
#include "release/ledger.hpp"
#include "release/located.hpp"

namespace wasmplug::release {

// Where a site's entry stands among the lines of its mapping. Nothing for one that is not there,
// comes from a merge key or stands in braces.
std::optional<EntryPlace> place_of(const Located& located, Role role);

// The edit that writes the entry of `site` there, `text` behind its ':'; nothing when the lines
// around it are not what they were. It may have stood behind another entry that is away, whose
// place is `other`.
std::optional<yaml::Edit> entry_at(const Located& located, const Site& site,
                                   const EntryPlace& place, const EntryPlace* other,
                                   const std::string& text);

}  // namespace wasmplug::release
