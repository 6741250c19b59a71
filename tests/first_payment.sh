#!/bin/sh
# From a bare Debian 12 to a first payment: installs the packages, builds, makes a simulated network, pays an invoice,
# kills the payment of a second one while its HTLC is in flight, resumes it, and lists both.
set -eu
cd "$(dirname "$0")/.."

echo "== packages"
sh tests/install_packages.sh build

echo "== build"
build=build
if [ -e "$build" ] && [ ! -O "$build" ]; then build="build-$(id -un)"; fi   # another user built here before
cmake -S . -B "$build/tool" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DPAYTOWER_TESTS=OFF >/dev/null
cmake --build "$build/tool" --target paytower
PATH="$PWD/$build/tool:$PATH"

folder=$(mktemp -d)
export PAYTOWER_DB="$folder/payments.db" PAYTOWER_SWITCH="sim:$folder/network.sim" PAYTOWER_CONFIG=none

show() {
  echo
  echo "\$ $*"
  "$@"
}

echo
echo "== a simulated network, an invoice, and its payment"
show paytower simulate network --out "$folder/network.sim" --seed 1
invoice=$(paytower simulate invoice --amt 250sat --description "a first coffee")
show paytower send "$invoice" --yes

echo
echo "== a second payment, killed while its HTLC is in flight"
invoice=$(paytower simulate invoice --amt 1000sat --description "a slow dinner" --hold 3s)
echo "\$ paytower send $invoice --yes &"
paytower send "$invoice" --yes &
sender=$!
while ! paytower simulate ledger | grep -q '"state":"held"'; do sleep 0.05; done
echo "\$ kill -9 $sender"
kill -9 "$sender"
wait "$sender" 2>/dev/null || true
show paytower list

echo
echo "== resumed"
show paytower resume
show paytower list
echo
echo "What the simulated network says really happened:"
paytower simulate ledger
echo
echo "The database and the network are in $folder; paytower is $PWD/$build/tool/paytower"
