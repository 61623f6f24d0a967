# cmake -DFROM=toolchain/templates -DTO=templates.cpp -P cmake/embed_templates.cmake
# Writes the folders FROM/LANGUAGE/PATTERN into one C++ file, as the table that
# toolchain/scaffold.hpp declares. A file that several projects share (a link into a _shared
# folder) is written once. What building in place leaves behind is not a part of a template.
#
# Included from a list file, it adds that command to the build, with every template as its input.
set(TEMPLATE_LEFTOVERS
    "(^|/)(build|dist|target|node_modules)/|/(Cargo\\.lock|package-lock\\.json)$")

if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(templates ${CMAKE_SOURCE_DIR}/toolchain/templates)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${templates}/*)
  list(FILTER files EXCLUDE REGEX "${TEMPLATE_LEFTOVERS}")
  add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/generated/templates.cpp
    COMMAND ${CMAKE_COMMAND} -DFROM=${templates} -DTO=${CMAKE_BINARY_DIR}/generated/templates.cpp
            -P ${CMAKE_CURRENT_LIST_FILE}
    DEPENDS ${files} ${CMAKE_CURRENT_LIST_FILE}
    COMMENT "Embedding the plugin templates"
    VERBATIM)
  target_sources(toolchain PRIVATE ${CMAKE_BINARY_DIR}/generated/templates.cpp)
  return()
endif()

cmake_minimum_required(VERSION 3.25)
set(texts "")
set(tables "")
set(entries "")
file(GLOB folders RELATIVE ${FROM} ${FROM}/*/*)
foreach(folder ${folders})
  if(folder MATCHES "(^|/)_shared" OR NOT IS_DIRECTORY ${FROM}/${folder})
    continue()
  endif()
  string(REGEX REPLACE "[^a-z]" "_" table ${folder})
  string(APPEND tables "constexpr TemplateFile ${table}[] = {\n")
  file(GLOB_RECURSE files RELATIVE ${FROM}/${folder} ${FROM}/${folder}/*)
  list(FILTER files EXCLUDE REGEX "${TEMPLATE_LEFTOVERS}|^(Cargo\\.lock|package-lock\\.json)$")
  foreach(file ${files})
    file(REAL_PATH ${FROM}/${folder}/${file} source)
    string(SHA1 text "${source}")
    set(text "text_${text}")
    if(NOT ${text}_written)
      set(${text}_written TRUE)
      file(READ ${source} content)
      string(APPEND texts "constexpr std::string_view ${text} = R\"EMBED(${content})EMBED\";\n")
    endif()
    string(APPEND tables "    {\"${file}\", ${text}},\n")
  endforeach()
  string(APPEND tables "};\n")
  string(REPLACE "/" "\", \"" names ${folder})
  string(APPEND entries "        {\"${names}\", ${table}},\n")
endforeach()
file(WRITE ${TO} "#include \"toolchain/scaffold.hpp\"

namespace wasmplug::toolchain {
namespace {

${texts}
${tables}
}  // namespace

std::span<const Template> templates() {
    static constexpr Template all[] = {
${entries}    };
    return all;
}

}  // namespace wasmplug::toolchain
")
