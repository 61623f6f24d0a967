#pragma once

#include <map>
#include <memory>
#include <string>

#include "plugintest/case.hpp"

namespace wasmplug::host {

class LoadedModule;

// The embedded host as an engine: each case runs in VMs of its own; modules are read once.
// Not for several threads.
class Embedded {
  public:
    Embedded();
    ~Embedded();
    Embedded(const Embedded&) = delete;
    Embedded& operator=(const Embedded&) = delete;

    // Never throws for what a module does; a module file that cannot be read is an Error.
    plugintest::Observed run(const plugintest::Case& test);

  private:
    std::map<std::string, std::unique_ptr<LoadedModule>> modules_;
};

}  // namespace wasmplug::host
