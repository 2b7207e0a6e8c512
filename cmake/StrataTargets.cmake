# SPDX-License-Identifier: Apache-2.0
# One library per folder of src/, one test program per folder of tests/: a new file is found without being listed.

add_library(strata_options INTERFACE)
target_include_directories(strata_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
target_compile_options(strata_options INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror)
if(STRATA_SANITIZE)
  target_compile_options(strata_options INTERFACE -fsanitize=${STRATA_SANITIZE} -fno-omit-frame-pointer
                                                  -fno-sanitize-recover=all)
  target_link_options(strata_options INTERFACE -fsanitize=${STRATA_SANITIZE})
endif()
if(STRATA_FUZZ)
  target_compile_options(strata_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# strata_library(NAME deps...): src/NAME as the static library strata_NAME.
function(strata_library name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  add_library(strata_${name} STATIC ${sources})
  set_target_properties(strata_${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(strata_${name} PUBLIC strata_options ${ARGN})
endfunction()

# strata_test(NAME deps...): tests/NAME/*_test.cpp as one GoogleTest program, each case known to ctest.
function(strata_test name)
  include(GoogleTest)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*_test.cpp)
  add_executable(test_${name} ${sources})
  target_link_libraries(test_${name} PRIVATE ${ARGN} strata_options GTest::gtest_main)
  target_precompile_headers(test_${name} PRIVATE <gtest/gtest.h> <filesystem> <map> <string> <vector>)
  target_compile_definitions(test_${name} PRIVATE STRATA_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  # Not the user's cache: what the tests plan must not depend on whether this machine was calibrated.
  gtest_discover_tests(test_${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 600 ENVIRONMENT "XDG_CACHE_HOME=${CMAKE_BINARY_DIR}/test-cache")
endfunction()
