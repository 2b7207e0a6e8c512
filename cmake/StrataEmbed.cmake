# SPDX-License-Identifier: Apache-2.0
# strata_embed(TARGET VARIABLE files...): compiles the content of text files into TARGET, re-embedded when one changes.
#
#   #include "embedded/VARIABLE.h"
#   for (const strata::EmbeddedFile& file : strata::embedded::VARIABLE()) ...   // {name, content}
#
# A name is the file's path from the project's root ("machines/avx2-generic.json"). The order is that of the arguments.
# The same file, run as a script (cmake -P), writes the .cpp at build time.

if(CMAKE_SCRIPT_MODE_FILE)
  string(REPLACE "|" ";" files "${FILES}")
  set(rows "")
  foreach(file IN LISTS files)
    file(RELATIVE_PATH name "${ROOT}" "${file}")
    file(READ "${file}" content)
    # A leading newline is not part of the content: the literal starts right after the parenthesis.
    string(APPEND rows "    {\"${name}\", R\"strata_embed(${content})strata_embed\"},\n")
  endforeach()
  file(WRITE "${OUTPUT}"
"#include \"embedded/${VARIABLE}.h\"

namespace strata::embedded {

std::span<const EmbeddedFile> ${VARIABLE}() {
  static constexpr EmbeddedFile kFiles[] = {
${rows}  };
  return kFiles;
}

}  // namespace strata::embedded
")
  return()
endif()

set(STRATA_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(strata_embed target variable)
  set(folder ${CMAKE_BINARY_DIR}/generated/embedded)
  file(CONFIGURE OUTPUT ${folder}/embedded_file.h @ONLY CONTENT
"#pragma once

#include <string_view>

namespace strata {

// A text file of the source tree, carried by the program.
struct EmbeddedFile {
  std::string_view name;
  std::string_view content;
};

}  // namespace strata
")
  file(CONFIGURE OUTPUT ${folder}/${variable}.h @ONLY CONTENT
"#pragma once

#include <span>

#include \"embedded/embedded_file.h\"

namespace strata::embedded {

std::span<const EmbeddedFile> ${variable}();

}  // namespace strata::embedded
")
  set(files "")
  foreach(file IN LISTS ARGN)
    get_filename_component(path "${file}" ABSOLUTE)
    list(APPEND files "${path}")
  endforeach()
  string(REPLACE ";" "|" joined "${files}")
  add_custom_command(
    OUTPUT ${folder}/${variable}.cpp
    COMMAND ${CMAKE_COMMAND} "-DFILES=${joined}" "-DROOT=${PROJECT_SOURCE_DIR}" "-DVARIABLE=${variable}"
            "-DOUTPUT=${folder}/${variable}.cpp" -P ${STRATA_EMBED_SCRIPT}
    DEPENDS ${files} ${STRATA_EMBED_SCRIPT}
    COMMENT "Embedding ${variable}"
    VERBATIM)
  target_sources(${target} PRIVATE ${folder}/${variable}.cpp)
  target_include_directories(${target} PUBLIC ${CMAKE_BINARY_DIR}/generated)
endfunction()
