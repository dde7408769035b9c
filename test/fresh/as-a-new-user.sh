#!/bin/bash
# What README tells a new user to do, on a fresh machine: as-a-new-user.sh [RING...]
# The machine is left as it was found but for its packages, images and the clone.
set -euo pipefail
say() { printf '\n### %s\n' "$*"; }
timed() {
  local began=$SECONDS
  "$@"
  printf '### %s s: %s\n' "$((SECONDS - began))" "$*"
}

. /etc/os-release
say "$PRETTY_NAME, $(node --version), npm $(npm --version)"
git -c safe.directory='*' clone --quiet /checkout /root/mullion
cd /root/mullion
finish() {
  local code=$?
  if [ "$code" != 0 ]; then tail -n 30 /var/lib/mullion/daemon.log || true; fi
  ./mullion list --json 2>/dev/null | grep -o '"name": *"[^"]*"' | cut -d'"' -f4 |
    while read -r name; do ./mullion delete "$name" --force || true; done
  ./mullion daemon stop || true
  exit "$code"
}
trap finish EXIT

timed ./mullion quickstart
say 'the second run, which must change nothing'
began=$SECONDS
./mullion quickstart | tee /tmp/second
grep -q 'nothing had to be changed' /tmp/second
test "$((SECONDS - began))" -le 30
say 'the first VPS'
mullion list
mullion exec first -- systemctl is-system-running --wait || test "$(mullion exec first -- systemctl is-system-running)" = degraded
mullion exec first -- systemctl --failed --no-legend
mullion exec first -- sh -c '. /etc/os-release; echo "$PRETTY_NAME, $(systemctl --version | head -n 1)"'
mullion doctor | tee /tmp/doctor
! grep -q leftovers.*belong /tmp/doctor
mullion techniques
say 'versions'
crun --version | head -n 1
conmon --version | head -n 1
qemu-system-x86_64 --version 2>/dev/null | head -n 1 || qemu-system-aarch64 --version | head -n 1
nft --version
mmdebstrap --version
dnsmasq --version | head -n 1
btrfs --version | head -n 1
if [ -d /run/systemd/system ]; then
  say 'the daemon is a unit of systemd'
  systemctl is-active mullion
  systemctl show --property=MainPID,ActiveState,UnitFileState mullion
fi
if [ $# != 0 ]; then
  say "npm test -- $*"
  timed npm test -- "$@"
fi
