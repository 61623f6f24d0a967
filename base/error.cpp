#include "base/error.hpp"

#include <system_error>

namespace wasmplug {

Error system_error(const std::string& doing, int error_number) {
    return Error(doing + ": " + std::generic_category().message(error_number));
}

}  // namespace wasmplug
