#pragma once

#include "manifest/validate.hpp"

namespace wasmplug::manifest {

// WP304: commands in comments, scripts and job arguments of any document that do not exist or do
// not do what guides use them for. Adds to the findings; a document that was passed over is
// judged when there is one.
void check_advice(Checked& checked);

}  // namespace wasmplug::manifest
