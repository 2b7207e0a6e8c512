#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Formats all C++ files; with --check, only says which ones differ.
set -eu
cd "$(dirname "$0")/.."

list() {
  git ls-files -co --exclude-standard '*.h' '*.cpp' | while read -r file; do [ ! -f "$file" ] || echo "$file"; done
}

if [ "${1:-}" = --check ]; then
  list | xargs clang-format-19 --dry-run -Werror
else
  list | xargs clang-format-19 -i
fi
