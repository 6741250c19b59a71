#!/bin/sh
# The program for arm64: it is built by Debian's cross compiler beside the arm64 libraries of a Debian 12. Under qemu it pays over a
# simulated network, is killed and resumes, and migrates a database of every version. The tests themselves wait for less time than qemu
# takes. FOLDER: its build folder; ROOT: that of the libraries, by default FOLDER-root. As root; needs g++-aarch64-linux-gnu,
# qemu-user-static, mmdebstrap and the network; MIRROR names another mirror.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "$0: needs root" >&2; exit 2; }
for program in aarch64-linux-gnu-g++ qemu-aarch64-static mmdebstrap; do
  command -v "$program" >/dev/null || { echo "$0: needs $program" >&2; exit 2; }
done
folder=${1:-build/arm64}
mkdir -p "$folder"
folder=$(realpath "$folder")
root=${2:-$folder-root}

if [ ! -e "$root/complete" ]; then
  echo "== libraries"
  rm -rf --one-file-system "$root"
  mmdebstrap --quiet --architectures=arm64 --variant=extract --include="libsqlitecpp-dev libsqlite3-dev libfmt-dev libcli11-dev
    nlohmann-json3-dev libsodium-dev libsecp256k1-dev libssl-dev libboost1.81-dev" bookworm "$root" ${MIRROR:-}
  touch "$root/complete"
fi

echo "== built"
export PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_LIBDIR="$root/usr/lib/aarch64-linux-gnu/pkgconfig:$root/usr/share/pkgconfig"
cmake -S . -B "$folder" -G Ninja -DPAYTOWER_TESTS=OFF -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
  -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_SYSROOT="$root" -DCMAKE_FIND_ROOT_PATH_MODE_PROGRAM=NEVER \
  -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY >/dev/null
cmake --build "$folder" --target paytower
aarch64-linux-gnu-objdump -f "$folder/paytower" | grep 'file format elf64-littleaarch64'

echo "== payments under qemu"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
data=$PWD/tests/data/schema
cd "$work"
export PAYTOWER_CONFIG=none PAYTOWER_DB="$work/payments.db" PAYTOWER_SWITCH="sim:$work/network.sim"
paytower() { qemu-aarch64-static -L "$root" "$folder/paytower" "$@"; }
paytower --version -v
paytower simulate network --out network.sim --seed 7
paytower send "$(paytower simulate invoice --amt 250sat)" --yes
held=$(paytower simulate invoice --amt 1000sat --hold forever)
qemu-aarch64-static -L "$root" "$folder/paytower" send "$held" --yes --wait forever &
sender=$!
until paytower simulate ledger | grep -q '"state":"held"'; do
  kill -0 "$sender" || { echo "send ended before its HTLC was held" >&2; exit 1; }
  sleep 0.2
done
kill -9 "$sender"
wait "$sender" || true
paytower simulate release "$(paytower list --status open | cut -f2)"
paytower resume
[ "$(paytower simulate ledger | grep -c '"state":"settled"')" -eq 2 ]
paytower check

echo "== old databases under qemu"
for old in "$data"/version*.db; do
  install -m 600 "$old" old.db
  paytower migrate --db old.db --backup none || [ $? -eq 12 ]   # 12: version 1 has records that nobody can read
  paytower check --db old.db
  rm -f old.db*
done
echo "== passed"
