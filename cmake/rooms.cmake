# Every room and every arrow between rooms. A new room or arrow changes this list first.
include(cmake/add_room.cmake)
file(WRITE ${CMAKE_BINARY_DIR}/rooms.txt "")

set(json nlohmann_json::nlohmann_json)

add_room(base
  LINKS OpenSSL::Crypto PkgConfig::LIBYAML Threads::Threads ${CMAKE_DL_LIBS} ${RE2_LIBRARY}
  TEXT "errors, output, files, processes, HTTP, YAML: no knowledge of plugins")
target_link_libraries(base PUBLIC fmt::fmt ${json})
target_include_directories(base SYSTEM PUBLIC ${CURL_INCLUDE_DIRS})  # base/curl.cpp loads it

add_room(istio
  TEXT "what each release of Istio and Envoy accepts and fetches: data with its source")

add_room(wasm
  TEXT "module reader, ABI tables, limits, what Envoy would refuse")

add_room(plugintest
  TEXT "test files, matchers, the runner over an Engine")

add_room(host SEES wasm plugintest
  LINKS wabt::wabt ZLIB::ZLIB
  TEXT "the embedded Proxy-Wasm host and the cost of a request in it")
# wabt's headers do not compile as C++20; nor do they pass our warnings.
set_source_files_properties(${CMAKE_SOURCE_DIR}/host/engine_wabt.cpp PROPERTIES
  COMPILE_OPTIONS "-std=c++17;-Wno-conversion;-Wno-sign-conversion;-Wno-shadow;-Wno-useless-cast")

add_room(manifest
  TEXT "WasmPlugin and TrafficExtension: field table, rules, generate, edit, chain, convert")

add_room(envoy SEES plugintest
  TEXT "a local Envoy: bootstrap, start and stop, test cases against it")

add_room(oci SEES wasm
  LINKS PkgConfig::LIBDEFLATE ZLIB::ZLIB
  TEXT "registry client, image layouts, archives, packages, credentials")

add_room(toolchain SEES wasm
  LINKS PkgConfig::LIBDEFLATE
  TEXT "languages: templates, build, doctor")
include(cmake/embed_templates.cmake)

add_room(kube
  TEXT "kubeconfig, and whether its cluster answers")

add_room(release SEES manifest oci
  TEXT "versions forward and back: targets, ledger, history, rollout with gates")

include(cmake/commands.cmake)
add_room(commands SEES wasm plugintest host manifest envoy oci toolchain kube release
  LINKS CLI11::CLI11 PkgConfig::LIBDEFLATE
  TEXT "one file a command: options, one call into a room, a result")
include(cmake/completions.cmake)
target_sources(commands PRIVATE ${CMAKE_BINARY_DIR}/generated/commands.cpp
                                ${CMAKE_BINARY_DIR}/generated/completions.cpp)

add_room(cli SEES commands manifest
  LINKS CLI11::CLI11
  TEXT "parse, select, run, exit code; completion; man pages")
