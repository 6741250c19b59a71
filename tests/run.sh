#!/bin/sh
# Passes all tests: installs what is needed, builds with g++ and with clang under AddressSanitizer and UBSan, runs both.
set -eu
cd "$(dirname "$0")/.."
sh tests/install_packages.sh build test

build=build
if [ -e "$build" ] && [ ! -O "$build" ]; then build="build-$(id -un)"; fi   # another user built here before

run() {
  name=$1
  shift
  echo "== $name"
  cmake -S . -B "$build/$name" -G Ninja "$@" >/dev/null
  cmake --build "$build/$name"
  ctest --test-dir "$build/$name" --output-on-failure -j "$(nproc)"
}

run clang-sanitized -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++ -DPAYTOWER_SANITIZE=ON
run gcc -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=g++
