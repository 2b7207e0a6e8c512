#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Python wheel of a release build: build/release/packages/strata_llm-*.whl. PYTHON (default python3) needs
# setuptools and wheel.
set -eu
cd "$(dirname "$0")/.."
. scripts/parts.sh

configure_and_build release --target strata_library
folder=build/release/wheel
rm -rf "$folder"
cp -r python "$folder"
strip -o "$folder/strata_llm/libstrata.so.0" build/release/libstrata.so.0
"${PYTHON:-python3}" -m pip wheel -q --no-deps --no-build-isolation -w build/release/packages "$folder"
ls build/release/packages/strata_llm-*.whl
