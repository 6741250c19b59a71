#!/bin/sh
# clang-tidy with the checks of .clang-tidy over every source of the build in build/gcc, or in the folder that is named. Slow:
# half an hour on 2 cores.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/gcc}
[ -f "$build/compile_commands.json" ] || { echo "$0: no compile_commands.json in $build; run sh tests/run.sh fast first" >&2; exit 2; }
tidy=$(command -v clang-tidy || command -v clang-tidy-14) || { echo "$0: needs clang-tidy" >&2; exit 2; }
git ls-files 'cli/*.cpp' 'core/*.cpp' 'db/*.cpp' 'migrations/*.cpp' |
  xargs -P "$(nproc)" -n 4 "$tidy" --quiet -p "$build" --extra-arg=-Wno-unknown-warning-option
echo "clang-tidy: clean"
