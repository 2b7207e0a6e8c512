# SPDX-License-Identifier: Apache-2.0
# strata_list_encodings(VARIABLE FOLDER): VARIABLE becomes a generated source with the list of all encodings, one for
# each file X_encoding.cpp of the folder, which defines strata::encoding::X_encoding().
function(strata_list_encodings variable folder)
  file(GLOB encodings CONFIGURE_DEPENDS ${folder}/*_encoding.cpp)
  set(declarations "")
  set(names "")
  foreach(file IN LISTS encodings)
    get_filename_component(stem ${file} NAME_WE)
    string(APPEND declarations "const Encoding& ${stem}();\n")
    list(APPEND names "&${stem}()")
  endforeach()
  list(JOIN names ", " names)
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/all_encodings.cpp @ONLY CONTENT
"#include \"encoding/encoding.h\"

namespace strata::encoding {

@declarations@
std::span<const Encoding* const> all_encodings() {
  static const Encoding* const kAll[] = {@names@};
  return kAll;
}

}  // namespace strata::encoding
")
  set(${variable} ${CMAKE_CURRENT_BINARY_DIR}/all_encodings.cpp PARENT_SCOPE)
endfunction()
