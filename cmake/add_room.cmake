# add_room(NAME [SEES room...] [LINKS target...] [TEXT sentence])
#
# A room is a folder with sources and one static library of the same name. SEES lists the rooms
# it may include and is linked with; base is seen by every other room, istio by every room above
# base. What is declared here is also what tests/layers.cmake checks and what tools/regen draws
# in docs/architecture.md, by way of build/rooms.txt: one line a room, "NAME: SEEN... | TEXT".
function(add_room name)
  cmake_parse_arguments(ROOM "" "TEXT" "SEES;LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.cpp)
  if(name STREQUAL "cli")
    list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  endif()
  if(NOT name STREQUAL "base")
    list(PREPEND ROOM_SEES base)
    if(NOT name STREQUAL "istio")
      list(INSERT ROOM_SEES 1 istio)
    endif()
  endif()
  list(REMOVE_DUPLICATES ROOM_SEES)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC wasmplug_options ${ROOM_SEES} PRIVATE ${ROOM_LINKS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE wasmplug_options ${ROOM_SEES})
  endif()
  list(JOIN ROOM_SEES " " seen)
  file(APPEND ${CMAKE_BINARY_DIR}/rooms.txt "${name}: ${seen} | ${ROOM_TEXT}\n")
endfunction()
