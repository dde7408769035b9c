import { generatorFiles } from './generators.ts';

/** What an image has beyond its packages. Pure data: it is part of the image's digest. */
export type GuestFile =
  | { readonly kind: 'file'; readonly path: string; readonly content: string; readonly mode?: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number };

const file = (path: string, content: string): GuestFile => ({ kind: 'file', path, content });
const link = (path: string, target: string): GuestFile => ({ kind: 'link', path, target });
const UNITS = 'etc/systemd/system';

/** Units that a VPS never needs, each with its reason; `systemctl unmask` brings one back. */
const MASKED: Readonly<Record<string, string>> = {
  'dev-mqueue.mount': 'only lists message queues, which work without',
  'dev-hugepages.mount': 'a program that wants huge pages mounts them itself',
  'e2scrub_all.timer': 'checks logical volumes, of which a VPS has none',
  'e2scrub_reap.service': 'the same',
  'getty@tty1.service': 'a VPS has no screen with a keyboard',
  'modprobe@dm_mod.service': 'loaded when it is used',
  'modprobe@drm.service': 'a VPS has no screen',
  'modprobe@loop.service': 'loaded when it is used',
  'sys-fs-fuse-connections.mount': 'only shows the connections of FUSE, which works without',
  'sys-kernel-config.mount': 'sets up hardware that a VPS does not have',
  'sys-kernel-debug.mount': 'for work on the kernel',
  'sys-kernel-tracing.mount': 'for work on the kernel',
  'systemd-battery-check.service': 'a VPS has no battery',
  'systemd-hibernate-clear.service': 'a VPS does not hibernate',
  'systemd-pcrmachine.service': 'a VPS has no TPM',
  'systemd-pcrphase.service': 'the same',
  'systemd-pcrphase-sysinit.service': 'the same',
  'systemd-pcrextend.socket': 'the same',
  'systemd-pcrlock.socket': 'the same',
  'systemd-tpm2-setup.service': 'the same',
  'systemd-tpm2-setup-early.service': 'the same',
  'systemd-firstboot.service': 'asks questions at the console',
  'systemd-network-generator.service': 'reads network settings from the kernel command line, which has none',
  'systemd-pstore.service': 'a VPS has no store for crash logs of firmware',
  'systemd-udev-settle.service': 'waits for hardware',
  'systemd-update-utmp-runlevel.service': 'notes runlevels, which systemd does not have',
};

/** Started when something asks for them over D-Bus, instead of at boot. */
const ON_DEMAND = ['dbus.service', 'systemd-logind.service'];

/** Units that Debian leaves off. */
export const ENABLED_UNITS = [
  'mullion-grow-root.service',
  'mullion-power-button.timer',
  'ssh.socket',
  'systemd-networkd.service',
];
/** Units that Debian turns on: a socket takes their place, and starts the server with the first connection. */
export const DISABLED_UNITS = ['ssh.service'];

/** Presses of the power button are logind's to hear, which nobody needs at boot. */
const POWER_BUTTON_TIMER = `\
[Unit]
Description=Hear the power button once the machine has booted
ConditionVirtualization=!container

[Timer]
OnBootSec=40s

[Install]
WantedBy=timers.target
`;
const POWER_BUTTON = `\
[Unit]
Description=Hear the power button
Wants=systemd-logind.service
Before=systemd-logind.service

[Service]
Type=oneshot
ExecStart=-udevadm trigger --settle --type=devices --action=add --subsystem-match=acpi --attr-match=hid=PNP0C0C --attr-match=hid=LNXPWRBN
`;

/** Kinds of devices that need nothing from udev at boot; what is plugged in later is handled whatever it is. */
const UNTRIGGERED = [
  'acpi bdi clockevents clocksource container cpu dmi event_source graphics input leds mem memory memory_tiering node',
  'pnp serio thermal tty vc vtconsole wakeup workqueue',
].flatMap((names) => names.split(' '));
const UDEV_TRIGGER = `\
[Service]
ExecStart=
ExecStart=-udevadm trigger --type=devices --action=add --prioritized-subsystem=virtio-ports,block,net ${UNTRIGGERED.map((name) => `--subsystem-nomatch=${name}`).join(' ')}
ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=tty --sysname-match=ttyS0 --sysname-match=ttyAMA0 --sysname-match=hvc0
`;

/** The root file system is mounted as it stays, unless a user wrote a table of file systems. */
const REMOUNT = `\
[Unit]
ConditionPathExists=/etc/fstab
`;
/** A container gets its devices from the host. */
const STATIC_DEVICES = `\
[Unit]
ConditionVirtualization=!container
`;

const GROW_ROOT = `\
[Unit]
Description=Grow the root file system to the size of its disk
DefaultDependencies=no
ConditionVirtualization=!container
After=systemd-remount-fs.service
Before=local-fs.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/lib/systemd/systemd-growfs /

[Install]
WantedBy=local-fs.target
`;

/**
 * Every VPS gets its own key, made when the first connection comes. RSA is left out: making its key takes an emulated
 * processor many seconds.
 */
const SSH_KEY = `\
[Unit]
Description=Make this machine's SSH host key
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
`;
const SSH_NEEDS_KEY = `\
[Unit]
Wants=mullion-ssh-key.service
After=mullion-ssh-key.service
`;
const SSH_CONFIG = 'HostKey /etc/ssh/ssh_host_ed25519_key\n';

/** Who reaches the console owns the VPS; root has no password, so that there is no other way in there. */
const autologin = (arguments_: string): string => `\
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root ${arguments_} $TERM
`;

const WAIT_ONLINE = `\
[Service]
ExecStart=
ExecStart=/lib/systemd/systemd-networkd-wait-online --any --timeout=30
`;

/** Newer than /usr: units of ConditionNeedsUpdate= have nothing to do at the first boot (systemd.unit(5)). */
const UPDATED = '# The packages of this image are set up.\n';

const JOURNAL = `\
[Journal]
SystemMaxUse=64M
RuntimeMaxUse=16M
`;

const HOSTS = `\
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
`;

/** `sources` is what the guest's own apt uses, in the deb822 format. */
export function guestFiles(sources: string): GuestFile[] {
  return [
    file('etc/apt/sources.list.d/debian.sources', sources),
    file('etc/hostname', 'localhost\n'),
    file('etc/hosts', HOSTS),
    file('etc/resolv.conf', ''),
    file('etc/machine-id', ''),
    file('etc/default/locale', 'LANG=C.UTF-8\n'),
    ...['etc', 'var'].map((folder) => file(`${folder}/.updated`, UPDATED)),
    file('etc/systemd/journald.conf.d/10-mullion.conf', JOURNAL),
    file('etc/ssh/sshd_config.d/10-mullion.conf', SSH_CONFIG),
    file(`${UNITS}/mullion-grow-root.service`, GROW_ROOT),
    file(`${UNITS}/mullion-power-button.timer`, POWER_BUTTON_TIMER),
    file(`${UNITS}/mullion-power-button.service`, POWER_BUTTON),
    file(`${UNITS}/mullion-ssh-key.service`, SSH_KEY),
    file(`${UNITS}/ssh.service.d/10-mullion.conf`, SSH_NEEDS_KEY),
    file(`${UNITS}/systemd-udev-trigger.service.d/10-mullion.conf`, UDEV_TRIGGER),
    file(`${UNITS}/systemd-remount-fs.service.d/10-mullion.conf`, REMOUNT),
    file(`${UNITS}/systemd-tmpfiles-setup-dev.service.d/10-mullion.conf`, STATIC_DEVICES),
    file(
      `${UNITS}/serial-getty@.service.d/10-mullion.conf`,
      autologin('--keep-baud 115200,57600,38400,9600 -'),
    ),
    file(`${UNITS}/console-getty.service.d/10-mullion.conf`, autologin('--noclear --keep-baud 115200 -')),
    file(`${UNITS}/systemd-networkd-wait-online.service.d/10-mullion.conf`, WAIT_ONLINE),
    ...Object.keys(MASKED).map((unit) => link(`${UNITS}/${unit}`, '/dev/null')),
    ...generatorFiles(),
    ...ON_DEMAND.map((unit) => link(`${UNITS}/multi-user.target.wants/${unit}`, '/dev/null')),
    ...['etc/systemd/network', 'var/lib/mullion'].map(
      (path): GuestFile => ({ kind: 'directory', path, mode: 0o755 }),
    ),
    { kind: 'directory', path: 'root/.ssh', mode: 0o700 },
  ];
}

/** What the build leaves behind that no two VPSs may share, or that belongs to the build; patterns of node:fs glob. */
export const REMOVED = [
  // The root file system is mounted before systemd starts and grown by a unit: there is nothing to say in it.
  'etc/fstab',
  // Without them the unit that reads /etc/modules-load.d has nothing to do, and starts once a file is there.
  'etc/modules',
  'etc/modules-load.d/modules.conf',
  'etc/ssh/ssh_host_*',
  'etc/apt/sources.list',
  'etc/apt/sources.list.d/*',
  'etc/dpkg/dpkg.cfg.d/99mmdebstrap',
  'etc/apt/apt.conf.d/99mmdebstrap',
  'var/lib/dbus/machine-id',
  'var/lib/systemd/random-seed',
  'var/lib/systemd/credential.secret',
  'var/cache/apt/*.bin',
  'var/cache/debconf/*-old',
  'var/lib/dpkg/*-old',
  'etc/*-',
  'var/log/*.log',
  'var/log/apt/*',
  'dev/*',
];
