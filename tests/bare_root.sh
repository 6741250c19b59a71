#!/bin/sh
# The README from its first line to its export, as a newcomer would follow it, in a fresh bare Debian 12: mmdebstrap makes the
# root, nothing of this machine is used in it but its name servers. As root; needs mmdebstrap and the network, a few
# minutes and 3 GB below TMPDIR; MIRROR names another mirror than the default. Then the package is removed again, and nothing of it stays.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "$0: needs root" >&2; exit 2; }
command -v mmdebstrap >/dev/null || { echo "$0: needs mmdebstrap" >&2; exit 2; }

root=$(mktemp -d)
clean() {
  for mount in dev/pts dev proc; do
    if mountpoint -q "$root/$mount"; then umount "$root/$mount"; fi
  done
  rm -rf --one-file-system "$root"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

echo "== a bare Debian 12"
mmdebstrap --quiet --variant=minbase bookworm "$root" ${MIRROR:-}
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount --bind /dev/pts "$root/dev/pts"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mkdir "$root/srv/paytower"
git archive HEAD | tar -x -C "$root/srv/paytower"

inside() { env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 chroot "$root" "$@"; }

echo "== the README's steps: build and install"
{ echo "set -eux; cd /srv/paytower"; python3 tests/e2e/readme.py "sh build"; } >"$root/srv/build.sh"
inside sh /srv/build.sh

echo "== the README's steps: the first session, as a user"
inside useradd --create-home op
{ echo "set -eux; cd"; python3 tests/e2e/readme.py "sh"; } >"$root/srv/session.sh"
inside su - op -c "sh /srv/session.sh"

echo "== the README's crontab line"
inside install -d -m 0700 -o op /var/lib/paytower/clightning
{
  echo "set -eux; cd /var/lib/paytower/clightning; export PAYTOWER_DB=/var/lib/paytower/clightning/payments.db PAYTOWER_SWITCH=sim:/var/lib/paytower/clightning/network.sim"
  echo "paytower simulate network --out network.sim"
  echo "paytower send \"\$(paytower simulate invoice --amt 250sat --hold 1s)\" --yes --wait 0 || [ \$? -eq 4 ]"
} >"$root/srv/before_cron.sh"
inside su - op -c "sh /srv/before_cron.sh"
python3 tests/e2e/readme.py --crontab >"$root/srv/cron.sh"
chroot=$(command -v chroot)
code=0
mail=$(env -i HOME=/home/op PATH=/usr/bin:/bin SHELL=/bin/sh "$chroot" --userspec=op "$root" /bin/sh /srv/cron.sh 2>&1) || code=$?
if [ "$code" -ne 0 ] || [ -n "$mail" ]; then echo "cron: exit $code, and it would mail: $mail" >&2; exit 1; fi
inside su - op -c "PAYTOWER_DB=/var/lib/paytower/clightning/payments.db paytower list" | grep -q SUCCEEDED

echo "== removed"
inside dpkg-query -L paytower >"$root/srv/files"
inside apt-get remove -y -qq paytower >/dev/null
while read -r file; do
  if [ -f "$root$file" ] || [ -L "$root$file" ]; then echo "$file stays behind" >&2; exit 1; fi
done <"$root/srv/files"
echo "== passed"
