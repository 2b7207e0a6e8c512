#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The compiler of the tests that compile the same code again and again, and don't ask for the cache to be used: clang,
# whose objects are kept in $STRATA_TEST_OBJECTS/kept by what they are made from.
set -eu
case " $* " in
  *" -c "*) ;;
  *) exec clang++-19 "$@" ;;
esac
[ -n "${STRATA_TEST_OBJECTS:-}" ] || exec clang++-19 "$@"

folder=$STRATA_TEST_OBJECTS/kept
# The headers' folder is named after what they hold; where it lies is no matter.
arguments=$(echo "$@" | sed 's, -I[^ ]*/headers-, -Iheaders-,g')
# shellcheck disable=SC2046
key=$({ clang++-19 --version; echo "$arguments"; cat $(find . -name '*.cpp' | sort); } | sha256sum | cut -d ' ' -f 1)
for output; do :; done
if [ -f "$folder/$key.o" ] && cp "$folder/$key.o" "$output" 2>/dev/null; then exit; fi
clang++-19 "$@"
mkdir -p "$folder"
cp "$output" "$folder/$key.$$"
mv "$folder/$key.$$" "$folder/$key.o"
ls -t "$folder"/*.o | tail -n +21 | xargs -r rm -f
