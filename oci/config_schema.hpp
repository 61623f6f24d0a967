#pragma once

#include <string>

#include "oci/manifest.hpp"
#include "oci/store.hpp"

namespace wasmplug::oci {

// The JSON Schema of pluginConfig that an image carries.
struct CarriedSchema {
    std::string text;     // "" when it carries none
    std::string problem;  // why it was not read, when there is one
};

// Of the annotation that `package` writes, else of docker's label of that name, else of a layer
// titled config.schema.json, as oras and `package --extra` push one. Throws what the store throws.
CarriedSchema carried_schema(Store& store, const Manifest& manifest);

}  // namespace wasmplug::oci
