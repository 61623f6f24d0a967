#pragma once

#include "manifest/validate.hpp"

namespace wasmplug::manifest {

// WP301: a PrometheusRule that asks for Wasm metrics which nothing exports. An object with such a
// finding is no longer passed over as of another kind.
void check_metrics(Checked& checked);

}  // namespace wasmplug::manifest
