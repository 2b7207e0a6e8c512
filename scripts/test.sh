#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds Strata and runs all its tests.
#
#   scripts/test.sh          release build, all tests
#   scripts/test.sh --all    before them: layers, style and format, and the tests under sanitizers, and fuzzing for
#                            FUZZ_SECONDS (default 20) per target
set -eu
cd "$(dirname "$0")/.."
scripts/setup.sh --tests

jobs=$(nproc)

say() { printf '\n== %s\n' "$1"; }

build() {  # preset
  say "build $1"
  if command -v ccache >/dev/null; then
    cmake --preset "$1" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache >/dev/null
  else
    cmake --preset "$1" >/dev/null
  fi
  cmake --build --preset "$1" -j "$jobs"
}

test_build() {  # preset, ctest's further arguments
  build "$1"
  preset=$1
  shift
  say "test $preset"
  ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure "$@"
}

check_sources() {
  say "sources"
  python3 scripts/check_layers.py --self-test
  python3 scripts/check_layers.py
  python3 scripts/check_style.py --self-test
  python3 scripts/check_style.py
  scripts/format.sh --check
}

fuzz() {  # the targets belong to the asan build
  for target in build/asan/fuzz/*_fuzz; do
    name=$(basename "$target" _fuzz)
    say "fuzz $name"
    mkdir -p "build/fuzz/$name" "fuzz/corpus/$name"
    "$target" -max_total_time="${FUZZ_SECONDS:-20}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/$name-" "build/fuzz/$name" "fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1 ||
      { tail -n 40 "build/fuzz/$name.log"; echo "fuzz $name: a finding, see build/fuzz/$name-*"; exit 1; }
    grep -E 'number_of_executed_units|new_units_added' "build/fuzz/$name.log"
  done
}

if [ "${1:-}" = --all ]; then
  check_sources
  export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
  test_build asan
  fuzz
  test_build tsan
fi
test_build release
