#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes docs/explain.png: the head of the page that `strata explain` writes of the bundled model, for a machine of
# machines/, so that the picture is the same wherever it is made. Wants Chromium (Debian: chromium).
#
#   scripts/explain_picture.sh [STRATA]     the program, by default build/release/strata
set -eu
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${1:-build/release/strata}" explain models/demo --machine avx512-zen5 -t 1 --html "$folder/why.html" >"$folder/text"
chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$folder/profile" \
  --window-size=1200,1000 --screenshot="$PWD/docs/explain.png" "file://$folder/why.html" 2>"$folder/log" || {
  cat "$folder/log" >&2
  exit 1
}
