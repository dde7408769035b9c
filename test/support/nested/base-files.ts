/** A file of a nested host's root file system, beyond its packages. */
export interface BaseFile {
  readonly path: string;
  readonly content: string;
}

/** Where a nested host's daemon is reached on its network card; `socat` leads from there to the socket. */
export const API_PORT = 7070;
export const HOST_ADDRESS = '10.0.2.15';

/** The bundle as a disk without a file system: the archive itself, from its first byte. */
export const BUNDLE_DISK = '/dev/disk/by-id/virtio-bundle';

const NETWORK = `\
[Match]
Name=eth0

[Network]
Address=${HOST_ADDRESS}/24
Gateway=10.0.2.2
LinkLocalAddressing=no
IPv6AcceptRA=no
`;

const API = `\
[Unit]
Description=Leads from the port ${API_PORT} to the socket of Mullion's daemon

[Service]
ExecStart=/usr/bin/socat TCP-LISTEN:${API_PORT},fork,reuseaddr,backlog=64 UNIX-CONNECT:/run/mullion/api.sock
Restart=always

[Install]
WantedBy=multi-user.target
`;

const FSTAB = `\
/dev/vda / ext4 errors=remount-ro 0 1
LABEL=mullion-cache /var/cache/mullion ext4 nofail,x-systemd.device-timeout=20s 0 2
`;

/** `sources` is what apt reads: the image's digest depends on it, so it is the same as on the machine outside. */
export const baseFiles = (kind: string, sources: string): readonly BaseFile[] => [
  { path: 'etc/hostname', content: `nested-${kind}\n` },
  { path: 'etc/hosts', content: `127.0.0.1 localhost\n127.0.1.1 nested-${kind}\n` },
  { path: 'etc/machine-id', content: '0123456789abcdef0123456789abcdef\n' },
  { path: 'etc/fstab', content: FSTAB },
  { path: 'etc/resolv.conf', content: 'nameserver 10.0.2.3\n' },
  { path: 'etc/apt/sources.list', content: '' },
  { path: 'etc/apt/sources.list.d/debian.sources', content: sources },
  { path: 'etc/systemd/network/10-eth0.network', content: NETWORK },
  { path: 'etc/systemd/system/nested-api.service', content: API },
];

export const ENABLED = ['systemd-networkd.service', 'nested-api.service'];
/** Work of a machine that is there for long, which this one is not. */
export const MASKED = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'getty@tty1.service',
  'serial-getty@ttyS0.service',
  'serial-getty@hvc0.service',
  'systemd-pstore.service',
  'systemd-networkd-wait-online.service',
];
