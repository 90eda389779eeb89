#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Installs what is missing of the system packages that a purpose needs, on Debian or Ubuntu.
#
#     tools/packages.sh host|demo|test
#
# host: a compiler and Python, without which nothing goes. demo: what emulates a Cortex-M55, as well. test: everything. Only
# `host` is required: what cannot be installed of the rest is named, and the tests that want it are skipped, saying so.
set -u

required="g++ git python3 python3-venv"
board="gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib picolibc-arm-none-eabi libstdc++-arm-none-eabi-picolibc qemu-system-arm"
check="ccache clang clang-tidy doctest-dev doxygen libflatbuffers-dev flatbuffers-compiler qemu-user-static g++-aarch64-linux-gnu valgrind binutils python3-dev gdb-multiarch pocketsphinx-testdata"

missing() {
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$package"
  done
}

install() {
  [ $# -eq 0 ] && return 0
  as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "packages.sh: need root or sudo to install: $*" >&2; return 1; }
    as_root=sudo
  fi
  if [ -z "${updated:-}" ]; then
    $as_root apt-get update -qq || true
    updated=1
  fi
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# A group first; where that fails, package by package, so that one that the distribution lacks does not cost the others.
install_optional() {
  # shellcheck disable=SC2086
  [ -z "$*" ] || install "$@" || for package in "$@"; do
    install "$package" || echo "packages.sh: not available: $package" >&2
  done
}

command -v dpkg-query >/dev/null || { echo "packages.sh: not a Debian or Ubuntu machine; nothing installed" >&2; exit 0; }

# shellcheck disable=SC2046
case "${1:-}" in
  host) install $(missing $required) || exit 1 ;;
  demo) install $(missing $required) || exit 1
        install_optional $(missing $board) ;;
  test) install $(missing $required) || exit 1
        install_optional $(missing $board $check)
        # The 32-bit run-time of this very compiler (gcc-multilib would drive out the cross compilers), and clang's sanitizers.
        install_optional $(missing "g++-$(g++ -dumpversion | cut -d. -f1)-multilib")
        clang=$(clang --version 2>/dev/null | sed -n 's/.*clang version \([0-9]*\).*/\1/p')
        [ -z "$clang" ] || install_optional $(missing "libclang-rt-$clang-dev") ;;
  *) echo "usage: packages.sh host|demo|test" >&2; exit 2 ;;
esac
