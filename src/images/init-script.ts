/**
 * /init of the initial file system, for busybox. Parameters of the kernel's command line that it reads: root= (a device
 * below /dev, LABEL= or UUID=; default the file system labelled mullion-root), rootflags=, init=, ro, and MODULE.NAME=VALUE
 * for the modules it loads. It begins no program that it can do without: on an emulated processor each takes hundredths of a
 * second.
 *
 * Provisioning: when a second archive, appended to the initial file system, brought /mullion/provision.tar, it is
 * unpacked over the mounted root with its owners (by number) and modes, from within a chroot of it, so that a link in
 * the guest's files leads nowhere else. What cannot be written, because the guest made a folder a link to nothing, is
 * named at the console and left out. It happens at every boot, before the guest's own system starts. A file
 * /mullion/machine of that archive is a script of the machine's, read once the root is mounted at /root.
 */
export const INIT_SCRIPT = `#!/bin/busybox sh
export PATH=/bin
fail() {
  echo "mullion: $1" >&2
  sleep 1
  busybox poweroff -f
}
mount -t devtmpfs -o mode=0755,nosuid dev /dev || fail "no devices"
exec </dev/console >/dev/console 2>&1
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys

root=LABEL=mullion-root flags= init=/sbin/init access=rw
read -r cmdline </proc/cmdline
for word in $cmdline; do
  case $word in
    root=*) root=\${word#root=} ;;
    rootflags=*) flags=,\${word#rootflags=} ;;
    init=*) init=\${word#init=} ;;
    ro) access=ro ;;
  esac
done

while read -r module; do
  case $module in
    # Its bus is there wherever the kernel could run on Xen.
    xen-*) [ -e /sys/hypervisor/type ] || continue ;;
  esac
  parameters=
  for word in $cmdline; do
    case $word in
      "\${module%.ko}".*) parameters="$parameters \${word#*.}" ;;
    esac
  done
  insmod "/modules/$module" $parameters || echo "mullion: the module $module does not load" >&2
done </modules/order

find_root() {
  case $root in
    LABEL=* | UUID=*) device=$(findfs "$root" 2>/dev/null) ;;
    *) device=$root ;;
  esac
  [ -b "$device" ]
}
tries=0
until find_root; do
  tries=$((tries + 1))
  [ $tries -gt 200 ] && fail "there is no disk $root"
  usleep 50000
done
mount -t ext4 -o "$access$flags" "$device" /root || fail "$device does not mount as the root"

# Under another name, busybox would not find its applets.
unpack() {
  chroot /root /run/busybox tar -x -p --numeric-owner -f - -C / "$@" </mullion/provision.tar
}
mount -t tmpfs -o mode=0755,nosuid,nodev,size=20% run /root/run
if [ -f /mullion/provision.tar ]; then
  [ "$access" = ro ] && mount -o remount,rw /root
  cp /bin/busybox /root/run/busybox
  unpack || tar -t -f /mullion/provision.tar | while read -r path; do
    unpack "$path" || echo "mullion: $path is not provisioned" >&2
  done
  rm -f /root/run/busybox
  [ "$access" = ro ] && mount -o remount,ro /root
fi

[ -f /mullion/machine ] && . /mullion/machine

mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
exec switch_root /root "$init"
fail "$init does not start"
`;
