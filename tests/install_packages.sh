#!/bin/sh
# Installs Debian 12 packages: `build` = what paytower is built from, `package` = what its Debian package is made with, `test` =
# what its tests use on top of that, `campaign` = what the full ring adds.
# Asks for nothing when everything is there already.
set -eu

build="g++ cmake ninja-build pkg-config libsqlitecpp-dev libsqlite3-dev libfmt-dev libcli11-dev nlohmann-json3-dev
       libsodium-dev libsecp256k1-dev libssl-dev libboost1.81-dev"
packing="dpkg-dev file"
test="clang clang-format-14 libclang-rt-14-dev llvm doctest-dev librapidcheck-dev libbenchmark-dev mandoc strace faketime sqlite3 procps python3
      bash fish zsh systemd $packing"

campaign="clang-tidy valgrind libc6-dbg mmdebstrap hyperfine g++-aarch64-linux-gnu qemu-user-static"

wanted=""
for set in "$@"; do
  case "$set" in
    build) wanted="$wanted $build" ;;
    package) wanted="$wanted $packing" ;;
    test) wanted="$wanted $test" ;;
    campaign) wanted="$wanted $campaign" ;;
    *) echo "usage: $0 [build] [package] [test] [campaign]" >&2; exit 2 ;;
  esac
done

missing=""
for package in $wanted; do
  dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^.i' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "these packages are missing and there is no sudo to install them:$missing" >&2; exit 1; }
  as_root="sudo"
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086 # the list is a list
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
