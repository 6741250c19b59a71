#!/bin/sh
# The program that needs no library but glibc's: it is built, what it is linked with is looked at, and tests pay with it, over a
# simulated network and over the double of lnd, whose TLS loads OpenSSL. Then it pays in a bare Debian 13, which has neither
# libsodium nor libsecp256k1. FOLDER: its build folder. As root; needs mmdebstrap and the network; MIRROR names another mirror.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "$0: needs root" >&2; exit 2; }
command -v mmdebstrap >/dev/null || { echo "$0: needs mmdebstrap" >&2; exit 2; }
folder=${1:-build/self-contained}

echo "== built"
cmake -S . -B "$folder" -G Ninja -DPAYTOWER_TESTS=OFF -DPAYTOWER_SELF_CONTAINED=ON >/dev/null
cmake --build "$folder" --target paytower
PAYTOWER_BINARY=$(realpath "$folder/paytower")
export PAYTOWER_BINARY

echo "== linked"
needed=$(objdump -p "$PAYTOWER_BINARY" | sed -n 's/^ *NEEDED *//p')
echo "$needed"
other=$(echo "$needed" | grep -vE '^(libc\.so\.|libm\.so\.|ld-linux)' || true)
[ -z "$other" ] || { echo "it is linked with more than glibc: $other" >&2; exit 1; }
echo "glibc: $(objdump -T "$PAYTOWER_BINARY" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)"

echo "== tests"
for name in json resume parts migrated "lnd Ways"; do
  # shellcheck disable=SC2086 # a test and its class are words
  set -- $name
  file=tests/e2e/test_$1.py
  shift
  python3 "$file" "$@"
done

echo "== a bare Debian 13"
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM HUP
mmdebstrap --quiet --variant=minbase trixie "$root" ${MIRROR:-}
cp "$PAYTOWER_BINARY" "$root/usr/bin/paytower"
cat >"$root/srv/session.sh" <<'SESSION'
set -eux
cd /srv
export PAYTOWER_CONFIG=none PAYTOWER_DB=/srv/payments.db PAYTOWER_SWITCH=sim:/srv/network.sim
paytower --version -v
paytower simulate network --out network.sim
paytower send "$(paytower simulate invoice --amt 250sat)" --yes
paytower send "$(paytower simulate invoice --amt 1000sat --hold 1s)" --yes --wait 0 || [ $? -eq 4 ]
paytower resume
paytower check
SESSION
chroot=$(command -v chroot)
env -i PATH=/usr/bin:/bin "$chroot" "$root" /bin/sh /srv/session.sh
echo "== passed"
