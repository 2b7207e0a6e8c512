#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The compiler of the tests that are not about the code of packages: clang without optimisation, which takes a third of
# the time. Its version says so: what it makes is cached under another name.
if [ "$1" = --version ]; then
  echo "$(clang++-19 --version | head -n 1), not optimising"
else
  exec clang++-19 "$@" -O0
fi
