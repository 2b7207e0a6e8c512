#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that Strata is built with; with --tests also those that only its tests need, with --mpi
# what runs a model on several processes, with --real what fetches a model for demo.sh --real.
# Does nothing, and uses no network, when all are there.
set -eu

packages="
  clang-19 clang-format-19 libclang-rt-19-dev
  cmake ninja-build pkg-config
  nlohmann-json3-dev libcli11-dev libgtest-dev libutf8proc-dev libxxhash-dev libedit-dev
  coinor-libcbc-dev zlib1g-dev libcpp-httplib-dev libcurl4-openssl-dev libssl-dev
  python3 python3-numpy
"

mpi_packages="openmpi-bin libopenmpi-dev"

# Code for AArch64 and RISC-V is built against Debian's cross libraries, disassembled, and run by qemu. Chat templates
# are compared with jinja2, answers under JSON schemas with jsonschema.
test_packages="
  libstdc++-12-dev-arm64-cross libstdc++-12-dev-riscv64-cross lld-19 llvm-19 qemu-user
  python3-jinja2 python3-jsonschema
"
case "${1:-}" in
  --tests) packages="$packages $test_packages $mpi_packages" ;;
  --mpi) packages="$packages $mpi_packages" ;;
  --real) packages="$packages python3-pip" ;;
esac

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=""
for package in $packages; do
  is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "Installing:$missing"
as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "Install these packages as root, then try again:$missing" >&2; exit 1; }
  as_root=sudo
fi
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
