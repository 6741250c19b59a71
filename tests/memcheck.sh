#!/bin/sh
# Valgrind's memcheck over payments end to end: sent, held and resumed, listed, in a batch, deleted, migrated. Any error or any
# block that is definitely lost fails. PAYTOWER_BINARY names another program than build/gcc/paytower.
set -eu
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "$0: needs valgrind" >&2; exit 2; }
binary=$(realpath "${PAYTOWER_BINARY:-build/gcc/paytower}")
legacy=$(realpath tests/e2e)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HOME="$folder" PAYTOWER_CONFIG=none PAYTOWER_DB="$folder/payments.db" PAYTOWER_SWITCH="sim:$folder/network.sim"

# checked EXIT ARGUMENTS...
checked() {
  expected=$1
  shift
  code=0
  valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --log-file="$folder/valgrind.log" "$binary" "$@" >"$folder/out" || code=$?
  if [ "$code" -ne "$expected" ]; then
    echo "paytower $*: exit $code instead of $expected" >&2
    cat "$folder/valgrind.log" >&2
    exit 1
  fi
  echo "clean: paytower $1"
}

checked 0 simulate network --out network.sim
checked 0 simulate invoice --amt 250sat
invoice=$(cat out)
checked 0 decode "$invoice"
checked 0 send "$invoice" --yes
checked 5 send "$invoice" --yes
"$binary" simulate invoice --amt 250sat --hold 3s >held
checked 4 send "$(cat held)" --yes --wait 0
checked 0 resume
checked 3 send "$("$binary" simulate invoice --amt 250sat --fail TEMPORARY_CHANNEL_FAILURE@1x99)" --yes --timeout 3s
for i in 1 2 3; do echo "{\"invoice\":\"$("$binary" simulate invoice --amt 100sat)\",\"label\":\"$i\"}"; done >batch.ndjson
checked 0 send --batch batch.ndjson --yes
checked 0 list --max-payments 0 --format ndjson
checked 0 show "$("$binary" decode "$invoice" --json | sed 's/.*"payment_hash":"\([0-9a-f]*\)".*/\1/')"
checked 0 stats
checked 0 backup copy.db
checked 0 check
checked 0 delete --all --include-non-failed --yes
python3 - "$legacy" "$folder/old.db" <<'PY'
import sys
sys.path.insert(0, sys.argv[1])
import legacy
legacy.make(sys.argv[2], [(i, legacy.record(legacy.preimage(i))) for i in range(1, 50)])
PY
checked 0 --db "$folder/old.db" migrate
checked 0 --db "$folder/old.db" list
