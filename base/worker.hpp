#pragma once

namespace wasmplug {

// From here on SIGINT, SIGTERM and SIGHUP end the process at once: for workers of ours, which
// have nothing to clean up and look at no Cancel while a plugin runs.
void end_on_signals();

}  // namespace wasmplug
