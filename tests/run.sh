#!/bin/sh
# The tests: installs what is needed, builds, runs. `sh tests/run.sh fast` is the fast ring: one build, the tests of under two
# minutes. Without a word: all tests, with clang under AddressSanitizer and UBSan, fuzz targets included, and with g++. `full` adds
# what takes longer than that: clang-tidy, valgrind, and the README in a bare Debian 12, which needs root.
set -eu
cd "$(dirname "$0")/.."
ring=${1:-all}
case "$ring" in all | fast | full) ;; *) echo "usage: $0 [fast | full]" >&2; exit 2 ;; esac
sh tests/install_packages.sh build test
if [ "$ring" = full ]; then sh tests/install_packages.sh campaign; fi

build=build
if [ -e "$build" ] && [ ! -O "$build" ]; then build="build-$(id -un)"; fi   # another user built here before

# build NAME TARGET CMAKE_OPTIONS...
build() {
  echo "== build $1"
  folder=$build/$1 target=$2
  shift 2
  cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@" >/dev/null
  cmake --build "$folder" --target "$target"
}

# run NAME CTEST_OPTIONS...
run() {
  echo "== test $1"
  folder=$build/$1
  shift
  # Three at a time for each core: the longest tests wait more than they work.
  ctest --test-dir "$folder" --output-on-failure -j "$((3 * $(nproc)))" "$@" && return
  echo "again, only what failed: ctest --test-dir $folder --rerun-failed --output-on-failure" >&2
  return 1
}

if [ "$ring" = fast ]; then
  build gcc fast -DCMAKE_CXX_COMPILER=g++
  run gcc -LE full -E _NOT_BUILT
else
  build clang-sanitized all -DCMAKE_CXX_COMPILER=clang++ -DPAYTOWER_SANITIZE=ON -DPAYTOWER_FUZZ=ON
  # While tests wait, the other compiler works.
  (build gcc all -DCMAKE_CXX_COMPILER=g++) >"$build/gcc.log" 2>&1 &
  other=$!
  renice -n 10 -p "$other" >/dev/null
  trap 'kill "$other" 2>/dev/null || true' EXIT
  # What takes a sanitizer minutes and teaches it nothing runs with g++ alone: bugs that are planted, words that are compared.
  run clang-sanitized -E "mutant|golden"
  wait "$other" || { cat "$build/gcc.log"; exit 1; }
  trap - EXIT
  run gcc
fi
if [ "$ring" = full ]; then
  PAYTOWER_BINARY="$build/gcc/paytower" sh tests/memcheck.sh
  sh tests/tidy.sh "$build/gcc"
  sh tests/bare_root.sh
fi
