#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds Strata and runs all its tests; prints what each part took.
#
#   scripts/test.sh          release build, all tests
#   scripts/test.sh --all    also layers, style and format, the tests under sanitizers, and the fuzz targets, FUZZ_RUNS
#                            (default 20,000) inputs of each or FUZZ_SECONDS (default 10) of them
#
# With --all, unit tests that find the same however they are compiled (LOGIC in their strata_test) run once, and so are
# the programs of bench/ built once: with AddressSanitizer.
#
# The long sweeps take a sample here; scripts/soak.sh runs them in full.
set -eu
cd "$(dirname "$0")/.."
. scripts/parts.sh

test_build() {  # preset
  ctest --test-dir "build/$1" -j "$jobs" --output-on-failure
}

check_sources() {
  python3 scripts/check_layers.py --self-test
  python3 scripts/check_layers.py
  python3 scripts/check_op_names.py --self-test
  python3 scripts/check_op_names.py
  python3 scripts/check_includes.py --self-test
  python3 scripts/check_includes.py
  python3 scripts/check_style.py --self-test
  python3 scripts/check_style.py
  scripts/format.sh --check
  # Built by hand where it is wanted (bench/RESULTS.md).
  clang++-19 -std=c++20 -march=native -I. -fsyntax-only bench/kernels/kernels.cpp
}

fuzz_shortly() {
  fuzz_names | xargs -P "$jobs" -I NAME sh -euc '. scripts/parts.sh; fuzz_target NAME "$@"' fuzz \
    -seed=1 -runs="${FUZZ_RUNS:-20000}" -max_total_time="${FUZZ_SECONDS:-10}"
}

build_release_without_logic_tests() {
  configure release -DSTRATA_LOGIC_TESTS=OFF -DSTRATA_BENCH=OFF
  cmake --build --preset release -j "$jobs"
}

print_table_at_exit
part "install" scripts/setup.sh --tests
if [ "${1:-}" != --all ]; then
  part "build release" configure_and_build release
  part "test release" test_build release
  exit
fi
part "sources" check_sources
export ASAN_OPTIONS=detect_stack_use_after_return=1:malloc_context_size=6:quarantine_size_mb=64
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/tsan.supp"
part "build asan" configure_and_build asan
part "test asan" test_build asan
part "fuzz" fuzz_shortly
part "build release" build_release_without_logic_tests
part "test release" test_build release
# Last: most packages that its tests run are compiled by then.
part "build tsan" configure_and_build tsan
part "test tsan" test_build tsan
