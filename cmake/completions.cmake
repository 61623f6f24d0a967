# The constant shell stubs, as strings in the binary: `wasmplug completion SHELL` prints the
# very file that packages install.
set(stubs bash:wasmplug.bash zsh:_wasmplug fish:wasmplug.fish)
foreach(stub ${stubs})
  string(REPLACE ":" ";" stub ${stub})
  list(GET stub 0 shell)
  list(GET stub 1 file)
  file(READ ${CMAKE_SOURCE_DIR}/completions/${file} ${shell}_stub)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
               ${CMAKE_SOURCE_DIR}/completions/${file})
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/completions.cpp @ONLY CONTENT
[[#include "commands/completion.hpp"

namespace wasmplug {

const char* const bash_completion = R"stub(@bash_stub@)stub";
const char* const zsh_completion = R"stub(@zsh_stub@)stub";
const char* const fish_completion = R"stub(@fish_stub@)stub";

}  // namespace wasmplug
]])
