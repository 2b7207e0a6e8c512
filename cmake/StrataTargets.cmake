# SPDX-License-Identifier: Apache-2.0
# One library per folder of src/, one test program per folder of tests/: a new file is found without being listed.

add_library(strata_options INTERFACE)
target_include_directories(strata_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
target_compile_options(strata_options INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror)
if(STRATA_SANITIZE)
  # Of UndefinedBehaviorSanitizer's checks those are left out that cost half of the time of compiling and show little
  # more: a null pointer that is used ends the program anyway, and AddressSanitizer sees what lies outside of an object.
  # Less is inlined: instrumented code is large.
  set(left_out null,vptr,object-size,pointer-overflow,nonnull-attribute,returns-nonnull-attribute)
  target_compile_options(strata_options INTERFACE -fsanitize=${STRATA_SANITIZE} -fno-omit-frame-pointer
                                                  -fno-sanitize-recover=all -fno-sanitize=${left_out})
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(strata_options INTERFACE "SHELL:-mllvm -inline-threshold=50" -fno-sanitize=function)
  endif()
  target_link_options(strata_options INTERFACE -fsanitize=${STRATA_SANITIZE})
endif()

# Parsing the standard library and JSON is half of a file's compile time, so all that may share a precompiled header
# does. scripts/check_includes.py sees that a file includes what it names all the same.
set(STRATA_COMMON_HEADERS <algorithm> <filesystem> <functional> <map> <memory> <mutex> <nlohmann/json.hpp> <optional>
                          <set> <span> <sstream> <string> <unordered_map> <vector>)

# strata_headers(NAME options...): a library whose precompiled header others, compiled with the same options, reuse.
function(strata_headers name)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}.cpp CONTENT "// Compiled for its headers.\n")
  add_library(${name} STATIC ${CMAKE_BINARY_DIR}/generated/${name}.cpp)
  target_link_libraries(${name} PRIVATE strata_options)
  target_compile_options(${name} PRIVATE ${ARGN})
  target_precompile_headers(${name} PRIVATE ${STRATA_COMMON_HEADERS})
endfunction()

# What the tests under sanitizers spend hardly any time in: optimising it takes longer than running it. Of functions in
# headers the linker may take the copy that isn't optimised, so these are few. ThreadSanitizer's tests run packages that
# earlier tests compiled.
if(STRATA_SANITIZE STREQUAL thread)
  set(STRATA_COLD_LIBRARIES buffer calibrate cli codegen compile cost egraph extract import ir jinja machine ops plan
                            rules schedule search serve tiles tune vectorize)
else()
  set(STRATA_COLD_LIBRARIES buffer calibrate cli codegen import jinja machine package plan runtime search serve text
                            tiles tune)
endif()
# What the fuzz targets parse with tells libFuzzer which branches an input takes; other code would only be slower.
# Named as -fsanitize=fuzzer-no-link names them, these flags share precompiled headers with code that has none.
set(STRATA_FUZZED_LIBRARIES base blocks import ir jinja machine ops package schedule serve text)
set(STRATA_COVERAGE -fsanitize-coverage=inline-8bit-counters,indirect-calls,trace-cmp,pc-table)
strata_headers(strata_hot_headers)
if(STRATA_SANITIZE)
  strata_headers(strata_cold_headers -O0)
endif()

# strata_library(NAME deps...): src/NAME as the static library strata_NAME.
function(strata_library name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  add_library(strata_${name} STATIC ${sources})
  set_target_properties(strata_${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(strata_${name} PUBLIC strata_options ${ARGN})
  if(STRATA_FUZZ AND name IN_LIST STRATA_FUZZED_LIBRARIES)
    target_compile_options(strata_${name} PRIVATE ${STRATA_COVERAGE})
  endif()
  if(STRATA_SANITIZE AND name IN_LIST STRATA_COLD_LIBRARIES)
    target_compile_options(strata_${name} PRIVATE -O0)
    target_precompile_headers(strata_${name} REUSE_FROM strata_cold_headers)
  else()
    target_precompile_headers(strata_${name} REUSE_FROM strata_hot_headers)
  endif()
endfunction()

# Test code itself is not hot: optimising it takes longer than running it. What of it is under test says so.
set(STRATA_TEST_OPTIONS -O0)
if(NOT STRATA_SANITIZE)
  list(APPEND STRATA_TEST_OPTIONS -g0)
endif()

# strata_test(NAME deps... [OPTIONS flags...] [THREADS names...] [PARTS n] [LOGIC]): tests/NAME/*_test.cpp as one
# GoogleTest program. For ctest it is one case, or n cases of each a part: a process for each of GoogleTest's cases
# would take longer to start than most take to run. ThreadSanitizer's build has only the files NAME_test.cpp that
# THREADS names. LOGIC: what is tested is the same however it is compiled, and under a sanitizer as much of it.
function(strata_test name)
  cmake_parse_arguments(arg "LOGIC" "PARTS" "OPTIONS;THREADS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*_test.cpp)
  if(STRATA_SANITIZE STREQUAL thread)
    list(TRANSFORM arg_THREADS REPLACE "(.+)" "${CMAKE_CURRENT_SOURCE_DIR}/${name}/\\1_test.cpp"
         OUTPUT_VARIABLE sources)
  endif()
  if(NOT sources)
    add_executable(test_${name} EXCLUDE_FROM_ALL ${CMAKE_CURRENT_SOURCE_DIR}/no_tests.cpp)
    return()
  endif()
  add_executable(test_${name} ${sources})
  target_link_libraries(test_${name} PRIVATE ${arg_UNPARSED_ARGUMENTS} strata_options GTest::gtest_main)
  target_compile_options(test_${name} PRIVATE ${STRATA_TEST_OPTIONS} ${arg_OPTIONS})
  if(arg_OPTIONS)
    target_precompile_headers(test_${name} PRIVATE <gtest/gtest.h> ${STRATA_COMMON_HEADERS})
  else()
    target_precompile_headers(test_${name} REUSE_FROM strata_test_headers)
  endif()
  target_compile_definitions(test_${name} PRIVATE STRATA_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(arg_LOGIC AND NOT STRATA_LOGIC_TESTS)
    set_target_properties(test_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
    return()
  endif()
  if(NOT arg_PARTS OR STRATA_SANITIZE STREQUAL thread)
    set(arg_PARTS 1)
  endif()
  set(processors 1)
  if(name STREQUAL runtime)
    set(processors 2)
  endif()
  math(EXPR last "${arg_PARTS} - 1")
  foreach(part RANGE ${last})
    set(test ${name})
    set(shard "")
    if(arg_PARTS GREATER 1)
      set(test ${name}.${part})
      set(shard GTEST_TOTAL_SHARDS=${arg_PARTS} GTEST_SHARD_INDEX=${part})
    endif()
    add_test(NAME ${test} COMMAND test_${name})
    # Longest first, so that no processor waits for the last ones. The cache isn't the user's: what the tests plan must
    # not depend on whether this machine was calibrated.
    set_tests_properties(${test} PROPERTIES TIMEOUT 900 COST ${arg_PARTS} PROCESSORS ${processors}
      ENVIRONMENT "GTEST_BRIEF=1;XDG_CACHE_HOME=${CMAKE_BINARY_DIR}/test-cache;${shard}")
  endforeach()
endfunction()
