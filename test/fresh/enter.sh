#!/bin/bash
# First process of a fresh machine: enter.sh ROOT CHECKOUT CACHE COMMAND...
# Called in new network, mount, process and cgroup namespaces; makes ROOT the root, as an ordinary machine has it
# mounted, and runs the command in it. All that it mounts ends with it.
set -euo pipefail
root=$1 checkout=$2 cache=$3
shift 3

mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mkdir -p checkout root/.npm var/cache/apt/archives
mount --bind "$checkout" checkout
mount -o remount,bind,ro checkout
mkdir -p "$cache/debs" "$cache/npm"
mount --bind "$cache/debs" var/cache/apt/archives
mount --bind "$cache/npm" root/.npm
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
if [ -d "/lib/modules/$(uname -r)" ]; then
  mkdir -p "lib/modules/$(uname -r)"
  mount --bind "/lib/modules/$(uname -r)" "lib/modules/$(uname -r)"
fi
# The control groups as on this machine: one tree, or a folder for each hierarchy.
awk '$5 ~ "^/sys/fs/cgroup" { i = 7; while ($i != "-") i++; print $5, $(i + 1), $(i + 3) }' /proc/self/mountinfo |
  while read -r target type options; do
    mkdir -p ".$target"
    case $type in
      tmpfs) mount -t tmpfs -o mode=755 tmpfs ".$target" ;;
      cgroup) mount -t cgroup -o "${options#rw,}" cgroup ".$target" ;;
      cgroup2) mount -t cgroup2 cgroup2 ".$target" ;;
    esac
  done
printf 'nameserver 10.0.2.3\n' > etc/resolv.conf
hostname fresh
printf '127.0.0.1 localhost fresh\n::1 localhost\n' > etc/hosts

mkdir -p .old
pivot_root . .old
cd /
umount --lazy .old
rmdir .old
ip link set lo up 2>/dev/null || true

for _ in $(seq 200); do
  grep -q '^tap0' /proc/net/route && break
  sleep 0.05
done
exec "$@"
