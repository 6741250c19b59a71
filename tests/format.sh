#!/bin/sh
# Formats every source file as .clang-format says. `sh tests/format.sh check` changes nothing and fails when a file is not formatted.
set -eu
cd "$(dirname "$0")/.."
mode=-i
if [ "${1:-}" = check ]; then mode="--dry-run --Werror"; fi
# shellcheck disable=SC2086 # the mode is words
find cli core db migrations tests \( -name '*.h' -o -name '*.cpp' \) -print0 | xargs -0 -P "$(nproc)" -n 20 clang-format-14 $mode
