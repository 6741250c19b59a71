#!/bin/sh
# Fuzzes every target: sh tests/fuzz/run.sh [SECONDS [NAME]]. The migration's targets run twice as long. Two at once.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-30}
name=${2:-}
sh tests/install_packages.sh build test
build=build/fuzz
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++ -DPAYTOWER_TESTS=OFF -DPAYTOWER_FUZZ=ON \
  -DPAYTOWER_FUZZ_SECONDS="$seconds" -DPAYTOWER_FUZZ_SEED=0 >/dev/null
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure -j "$(nproc)" -R "^fuzz: (seeds|${name:-.*})\$"
grep -hE "^Done |stat::number_of_executed_units|^\"fuzz: " "$build/Testing/Temporary/LastTest.log" || true
