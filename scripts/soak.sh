#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The long sweeps in full, of which scripts/test.sh takes a sample; prints what each part took. Hours, all together.
#
#   scripts/soak.sh             all parts
#   scripts/soak.sh NAME...     some of them
#   scripts/soak.sh --list      their names
#
# A part that fails does not keep the others from running; the exit status is 1 then. What a part prints is kept in
# build/soak/NAME.log. PYTHON (default python3) is what runs the comparisons: `templates` needs jinja2, `schemas`
# jsonschema, `tokenizers` the PyPI package of that name; `serve` asks with openai and anthropic too where they are.
# FUZZ_SECONDS (default 300) is the time of each fuzz target.
set -eu
cd "$(dirname "$0")/.."
. scripts/parts.sh

python=${PYTHON:-python3}
root=$PWD
export STRATA_SOAK=1
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1

# NAME: what it shows.
list() {
  cat <<'END'
faults        allocations, writes, flushes, renames and opens that fail, at every n
kills         120 compilations killed
ranks         36 times one of two ranks killed or stopped, while loading, reading and decoding
serve         4,000 requests by 8 users, 1,000 clients that go, 1,000 connections at once; PyPI's clients, the page
damage        damaged packages and caches, files that change while they are mapped
templates     100,000 snippets against jinja2
schemas       20,000 random JSON schemas, with random answers, against jsonschema; 30,000 random grammars
tokenizers    100,000 texts against Hugging Face's tokenizers
graphs        10,000 random graphs against the interpreter
rules         all instances of each rule under AddressSanitizer
cross         packages for AArch64 and RISC-V, all of both
opt           every pass of `strata opt` on the fuzz corpus
assertions    all tests with the standard library's assertions
install       the Debian package in a bare Debian 12 (debootstrap, as root, with a network): text in two commands
fuzz          each fuzz target for minutes
END
}

# A sweep that isn't there must not look like one that passed.
need() {  # file
  [ -e "$1" ] || { echo "soak: $1 is missing: without it this part cannot run" >&2; return 1; }
}

release() { configure_and_build release "$@"; }

end_to_end() {  # tests/cli/test_NAME.py ...
  for name in "$@"; do need "tests/cli/test_$name.py"; done
  release --target strata
  for name in "$@"; do
    STRATA_BIN="$root/build/release/strata" "$python" -B "tests/cli/test_$name.py" -v
  done
}

test_program() {  # preset, test program, filter
  program="build/$1/tests/$2"
  [ -n "$("$program" --gtest_list_tests --gtest_filter="$3")" ] || { echo "soak: $2 has no test $3" >&2; return 1; }
  "$program" --gtest_filter="$3"
}

run_faults() {
  release
  need build/release/libfault_shim.so
  end_to_end faults
}

run_kills() { end_to_end kills; }

run_ranks() { end_to_end ranks; }

run_serve() { end_to_end serve page; }

run_damage() {
  end_to_end package malformed cache changing_files
  configure_and_build asan --target test_package
  test_program asan test_package '*'
}

run_templates() {
  need tests/jinja/test_against_jinja2.py
  "$python" -c "import jinja2" || { echo "soak: $python has no jinja2 (PYTHON names another)" >&2; return 1; }
  configure_and_build release --target jinja_render_lines
  STRATA_JINJA="$root/build/release/tests/jinja_render_lines" "$python" -B tests/jinja/test_against_jinja2.py -v
}

run_tokenizers() {
  "$python" -c "import tokenizers" || { echo "soak: $python has no tokenizers (PYTHON names another)" >&2; return 1; }
  configure_and_build release --target strata text_data
  for model in models/demo build/release/tests/text_data; do
    need "$model/tokenizer.json"
    "$python" -B scripts/tokenizer_parity.py --strata "$root/build/release/strata" --model "$model" --n 100000
  done
}

run_install() {
  command -v debootstrap >/dev/null || { echo "soak: debootstrap is missing" >&2; return 1; }
  release --target strata
  (cd build/release && cpack)
  bare=$root/build/soak/bare
  mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
  [ -e "$bare/etc/debian_version" ] || debootstrap --variant=minbase bookworm "$bare" "$mirror"
  cp build/release/packages/strata_*.deb "$bare/strata.deb"
  rm -rf "$bare/demo" && cp -r models/demo "$bare/demo"
  chroot "$bare" apt-get install -y -q --no-install-recommends ./strata.deb
  mount -t proc proc "$bare/proc"
  chroot "$bare" strata run /demo -p "In the beginning" -n 40 --temp 0 || failed=1
  umount "$bare/proc"
  return ${failed:-0}
}

run_schemas() {
  need tests/grammar/test_random_schemas.py
  "$python" -c "import jsonschema" || { echo "soak: $python has no jsonschema (PYTHON names another)" >&2; return 1; }
  configure_and_build release --target random_answers --target test_grammar
  STRATA_RANDOM_ANSWERS="$root/build/release/tests/random_answers" "$python" -B tests/grammar/test_random_schemas.py -v
  build/release/tests/test_grammar
}

run_graphs() {
  configure_and_build release --target test_compile
  export STRATA_RANDOM_JOBS="$jobs"
  test_program release test_compile 'RandomGraphs.*'
}

run_rules() {
  configure_and_build asan --target test_rules
  test_program asan test_rules '*'
}

run_cross() {
  release
  ctest --test-dir build/release -L cross --no-tests=error --output-on-failure
}

run_opt() {
  configure_and_build asan --target test_compile
  test_program asan test_compile 'OptCorpus.*'
}

run_assertions() {
  configure_and_build assertions
  (unset STRATA_SOAK; ctest --test-dir build/assertions -j "$jobs" --output-on-failure)
}

run_fuzz() {
  configure_and_build asan
  for name in $(fuzz_names); do fuzz_target "$name" -max_total_time="${FUZZ_SECONDS:-300}"; done
}

names() { list | awk '{ print $1 }'; }

case "${1:-}" in
  --list)
    list
    exit 0
    ;;
  --part)  # how this script runs its parts, each in a shell of its own
    "run_$2"
    exit 0
    ;;
esac

chosen=${*:-$(names)}
for name in $chosen; do
  names | grep -qx -- "$name" || { echo "soak: no part '$name'; scripts/soak.sh --list names them" >&2; exit 2; }
done

show_part() {  # name
  log=build/soak/$1.log
  if scripts/soak.sh --part "$1" >"$log" 2>&1; then
    tail -n 12 "$log"
  else
    tail -n 60 "$log"
    return 1
  fi
}

print_table_at_exit
mkdir -p build/soak
failed=0
for name in $chosen; do try_part "$name" show_part "$name"; done
exit "$failed"
