/**
 * What makes a VPS this one and no other, or is Mullion's own of it; relative to its root, patterns of sh(1). Logs and all
 * else stay: they are the owner's to clean.
 */
export const IDENTITY = [
  'var/lib/dbus/machine-id',
  'etc/ssh/ssh_host_*',
  'var/lib/systemd/random-seed',
  'var/lib/systemd/credential.secret',
  'var/lib/dhcp/*.leases',
  'var/lib/mullion/*',
  'root/.ssh/authorized_keys2',
  'etc/systemd/network/10-mullion-*',
  'etc/systemd/system.conf.d/10-mullion.conf',
  'etc/systemd/system/mullion-user-data.service',
  'etc/systemd/system/multi-user.target.wants/mullion-user-data.service',
] as const;
/** Emptied: it must be there, and is filled at the first start (machine-id(5)). */
export const MACHINE_ID = 'etc/machine-id';

/** For sh(1), inside the root file system; the patterns are its arguments. */
export const CLEAN_ROOT = `
cd /out
for pattern; do for path in $pattern; do rm -rf -- "$path"; done; done
if [ -f ${MACHINE_ID} ] && [ ! -L ${MACHINE_ID} ]; then : > ${MACHINE_ID}; fi
`;

/** Names that debugfs(8), which knows no patterns, is told one by one. */
const PLAIN = [
  ...['rsa', 'ecdsa', 'ed25519', 'dsa'].flatMap((type) => [
    `etc/ssh/ssh_host_${type}_key`,
    `etc/ssh/ssh_host_${type}_key.pub`,
  ]),
  ...['user-data', 'user-data-started', 'make-host-keys'].map((name) => `var/lib/mullion/${name}`),
  'etc/systemd/network/10-mullion-eth0.network',
  ...IDENTITY.filter((path) => !path.includes('*')),
];

/** Commands of debugfs(8); those of names that are not there do nothing. */
export const cleanDiskCommands = (empty: string): string =>
  [
    ...[...PLAIN, MACHINE_ID].map((path) => `rm "/${path}"`),
    `write ${empty} /${MACHINE_ID}`,
    'quit',
    '',
  ].join('\n');
