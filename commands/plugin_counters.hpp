#pragma once

#include <string>
#include <vector>

#include "base/services.hpp"

namespace wasmplug {

// The counters of errors that plugins made by `init` define, as Prometheus sees them: of the
// project that `subject` is or lies in, else of the plugins that its manifest names. Warns of a
// built module without the counter, and leaves it out. Throws Error when there is nothing at
// `subject`.
std::vector<std::string> error_counters(const std::string& subject, Services& services);

}  // namespace wasmplug
