#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh checkout to generated text: installs what is missing, builds, compiles the bundled model, runs it.
set -eu
cd "$(dirname "$0")/.."
. scripts/parts.sh

say() { printf '\n== %s\n' "$1"; }

say "Packages that Strata is built with"
scripts/setup.sh
echo "All there."

say "Building Strata"
configure_and_build release --target strata

strata=build/release/strata
package=build/demo.strata

say "Compiling models/demo for this machine"
"$strata" compile models/demo -o "$package"

say "What the package holds"
"$strata" info "$package" | grep -E '^(model|parameters|weights|layers|machine|code )'

say "Generating (the first words are the prompt)"
prompt="In the beginning"
printf '%s' "$prompt"
"$strata" run "$package" -p "$prompt" -n 120 --temp 0.7 -s 3

say "How fast it is here"
"$strata" bench "$package" -p 128 -n 64 -r 3
cat <<'TEXT'

A token has to read every weight once, so the speed of generating (tg) is the speed of memory: t/s times the weights'
size is the bandwidth in use. Strata packs the weights when it compiles, in the order in which the code reads them.

Next:  build/release/strata chat models/demo
       build/release/strata run /path/to/a/hugging-face/folder -p "Hello"
TEXT
