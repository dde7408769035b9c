/** What an image has beyond its packages. Pure data: it is part of the image's digest. */
export type GuestFile =
  | { readonly kind: 'file'; readonly path: string; readonly content: string; readonly mode?: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number };

const file = (path: string, content: string): GuestFile => ({ kind: 'file', path, content });
const link = (path: string, target: string): GuestFile => ({ kind: 'link', path, target });
const UNITS = 'etc/systemd/system';

/** Units that a VPS never needs, each with its reason. */
const MASKED: Readonly<Record<string, string>> = {
  'e2scrub_all.timer': 'checks logical volumes, of which a VPS has none',
  'e2scrub_reap.service': 'the same',
  'getty@tty1.service': 'a VPS has no screen with a keyboard',
  'systemd-firstboot.service': 'asks questions at the console',
  'systemd-pstore.service': 'a VPS has no store for crash logs of firmware',
  'systemd-udev-settle.service': 'waits for hardware',
};

/** Units that Debian leaves off. */
export const ENABLED_UNITS = [
  'systemd-networkd.service',
  'mullion-grow-root.service',
  'mullion-ssh-keys.service',
];

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

/** Every VPS gets its own keys; RSA is left out because making its key takes an emulated processor many seconds. */
const SSH_KEYS = `\
[Unit]
Description=Make this machine's SSH host keys
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
After=local-fs.target systemd-random-seed.service
Before=ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
ExecStart=/usr/bin/ssh-keygen -q -t ecdsa -N "" -f /etc/ssh/ssh_host_ecdsa_key

[Install]
WantedBy=multi-user.target
`;

const SSH_KEYS_CONFIG = `\
HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_ecdsa_key
`;

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
    file(
      'etc/fstab',
      '# The root file system is mounted before systemd starts, and grown to its disk by a unit.\n',
    ),
    file('etc/hostname', 'localhost\n'),
    file('etc/hosts', HOSTS),
    file('etc/resolv.conf', ''),
    file('etc/machine-id', ''),
    file('etc/default/locale', 'LANG=C.UTF-8\n'),
    file('etc/systemd/journald.conf.d/10-mullion.conf', JOURNAL),
    file('etc/ssh/sshd_config.d/10-mullion.conf', SSH_KEYS_CONFIG),
    file(`${UNITS}/mullion-grow-root.service`, GROW_ROOT),
    file(`${UNITS}/mullion-ssh-keys.service`, SSH_KEYS),
    file(
      `${UNITS}/serial-getty@.service.d/10-mullion.conf`,
      autologin('--keep-baud 115200,57600,38400,9600 -'),
    ),
    file(`${UNITS}/console-getty.service.d/10-mullion.conf`, autologin('--noclear --keep-baud 115200 -')),
    file(`${UNITS}/systemd-networkd-wait-online.service.d/10-mullion.conf`, WAIT_ONLINE),
    ...Object.keys(MASKED).map((unit) => link(`${UNITS}/${unit}`, '/dev/null')),
    ...['etc/systemd/network', 'var/lib/mullion'].map(
      (path): GuestFile => ({ kind: 'directory', path, mode: 0o755 }),
    ),
    { kind: 'directory', path: 'root/.ssh', mode: 0o700 },
  ];
}

/** What the build leaves behind that no two VPSs may share, or that belongs to the build; patterns of node:fs glob. */
export const REMOVED = [
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
