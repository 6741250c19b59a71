#!/bin/sh
# The tests: installs what is needed, builds, runs. `sh tests/run.sh fast` is the fast ring: one build, the tests of under two
# minutes. Without a word: all tests, with clang under AddressSanitizer and UBSan, fuzz targets included, and with g++. `full` adds
# what takes longer than that: clang-tidy, valgrind, the program of one file, arm64, and the README in a bare Debian 12; it needs root.
set -eu
cd "$(dirname "$0")/.."
ring=${1:-all}
case "$ring" in all | fast | full) ;; *) echo "usage: $0 [fast | full]" >&2; exit 2 ;; esac
sh tests/install_packages.sh build test
if [ "$ring" = full ]; then sh tests/install_packages.sh campaign; fi

build=build
if [ -e "$build" ] && [ ! -O "$build" ]; then build="build-$(id -un)"; fi   # another user built here before

# run NAME "CTEST OPTIONS" "CMAKE OPTIONS" [TARGET]
run() {
  echo "== $1"
  # shellcheck disable=SC2086 # options are words
  cmake -S . -B "$build/$1" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo $3 >/dev/null
  cmake --build "$build/$1" --target "${4:-all}"
  # Three at a time for each core: the longest tests wait more than they work.
  # shellcheck disable=SC2086
  ctest --test-dir "$build/$1" --output-on-failure -j "$((3 * $(nproc)))" $2 && return
  echo "again, only what failed: ctest --test-dir $build/$1 --rerun-failed --output-on-failure" >&2
  return 1
}

if [ "$ring" = fast ]; then
  run gcc "-LE full -E _NOT_BUILT" "-DCMAKE_CXX_COMPILER=g++ -DPAYTOWER_UNITY=all" fast
else
  # What takes a sanitizer minutes and teaches it nothing runs with g++ alone: bugs that are planted, words that are compared.
  run clang-sanitized "-E mutant|golden" "-DCMAKE_CXX_COMPILER=clang++ -DPAYTOWER_SANITIZE=ON -DPAYTOWER_FUZZ=ON -DPAYTOWER_UNITY=all"
  run gcc "" "-DCMAKE_CXX_COMPILER=g++ -DPAYTOWER_UNITY=tests"
fi
if [ "$ring" = full ]; then
  PAYTOWER_BINARY="$build/gcc/paytower" sh tests/memcheck.sh
  sh tests/tidy.sh "$build/gcc"
  sh tests/self_contained.sh "$build/self-contained"
  sh tests/cross_arm64.sh "$build/arm64"
  sh tests/bare_root.sh
fi
