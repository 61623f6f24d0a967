#include "commands/build_world.hpp"

namespace wasmplug {

toolchain::BuildWorld build_world(Services& services) {
    return {.spawn = services.spawn,
            .environment = services.environment,
            .cancel = services.cancel,
            .stream = [&services](std::string_view text) { services.out.stream(text); },
            .verbose =
                [&services](std::string_view text) {
                    services.out.verbose(text);
                }};
}

}  // namespace wasmplug
