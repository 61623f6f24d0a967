# commands/push.cpp defines `const Command push_command` (commands/command.hpp); this collects
# them all into `commands_in_files()`, so that adding a command is adding a file.
file(GLOB command_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/commands/*.cpp)
set(declarations "")
set(entries "")
foreach(file ${command_files})
  get_filename_component(command ${file} NAME_WE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(STRINGS ${file} exported REGEX "^const Command ${command}_command" LIMIT_COUNT 1)
  if(exported)
    string(APPEND declarations "extern const Command ${command}_command;\n")
    string(APPEND entries "        &${command}_command,\n")
  endif()
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/commands.cpp @ONLY CONTENT
[[#include "commands/command.hpp"

namespace wasmplug {

@declarations@
std::vector<const Command*> commands_in_files() {
    return {
@entries@    };
}

}  // namespace wasmplug
]])
