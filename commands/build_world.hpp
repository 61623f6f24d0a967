#pragma once

#include "base/services.hpp"
#include "toolchain/compile.hpp"

namespace wasmplug {

// A build that shows what the compiler says as it comes, and with -v what is run. `services` has
// to outlive it.
toolchain::BuildWorld build_world(Services& services);

}  // namespace wasmplug
