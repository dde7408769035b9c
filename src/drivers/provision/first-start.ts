import { randomBytes } from 'node:crypto';
import type { ArchiveEntry } from '../archive/entry.ts';
import type { Machine } from '../driver.ts';
import { textFile, wanted } from './text-file.ts';

const FOLDER = 'var/lib/mullion';
/** The images that Mullion builds have one of this name for machines that nobody provisions; this takes its place. */
const KEYS_UNIT = 'mullion-ssh-keys.service';
const SCRIPT_UNIT = 'mullion-user-data.service';

/**
 * What happens once. Host keys are made anew for each machine id, so that neither an image nor a copy shares them; the
 * VPS's own script runs at its first start, even when that start is cut short.
 */
export function firstStartFiles({ machineId, userData }: Machine): ArchiveEntry[] {
  return [
    { kind: 'directory', path: FOLDER, mode: 0o755 },
    textFile(`etc/systemd/system/${KEYS_UNIT}`, keysUnit(machineId)),
    wanted(KEYS_UNIT, `/etc/systemd/system/${KEYS_UNIT}`),
    textFile(`${FOLDER}/make-host-keys`, MAKE_HOST_KEYS, 0o755),
    ...(userData === undefined
      ? []
      : [
          textFile(`${FOLDER}/user-data`, executable(userData), 0o700),
          textFile(`etc/systemd/system/${SCRIPT_UNIT}`, SCRIPT_UNIT_TEXT),
          wanted(SCRIPT_UNIT, `/etc/systemd/system/${SCRIPT_UNIT}`),
        ]),
  ];
}

/** What the guest's kernel mixes into its random numbers at boot (systemd-random-seed(8)): two copies must not have one. */
export const randomSeed = (): ArchiveEntry => ({
  kind: 'file',
  path: 'var/lib/systemd/random-seed',
  mode: 0o600,
  content: randomBytes(512),
});

/** A script without an interpreter line is one for sh. */
const executable = (script: string): string => (script.startsWith('#!') ? script : `#!/bin/sh\n${script}`);

/** No RSA key: it takes many seconds on an emulated processor, and every client of today knows the others. */
const MAKE_HOST_KEYS = `#!/bin/sh
# Gives this server SSH host keys of its own, once for each machine id, and forgets what another left.
rm -f /var/lib/dhcp/*.leases /var/lib/systemd/credential.secret /var/lib/NetworkManager/secret_key
[ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id
command -v ssh-keygen >/dev/null || exit 0
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
for type in ed25519 ecdsa; do
  ssh-keygen -q -t "$type" -N '' -C '' -f "/etc/ssh/ssh_host_\${type}_key" || exit 1
done
touch "$1"
`;

const keysUnit = (machineId: string): string => `[Unit]
Description=SSH host keys of this server
ConditionPathIsDirectory=/etc/ssh
ConditionPathExists=!/${FOLDER}/host-keys-${machineId}
After=local-fs.target systemd-remount-fs.service
Before=ssh.service sshd.service

[Service]
Type=oneshot
ExecStart=/${FOLDER}/make-host-keys /${FOLDER}/host-keys-${machineId}

[Install]
WantedBy=multi-user.target
`;

const SCRIPT_UNIT_TEXT = `[Unit]
Description=The first script of this server
ConditionPathExists=!/${FOLDER}/user-data-started
After=network.target systemd-networkd.service ${KEYS_UNIT}

[Service]
Type=oneshot
ExecStartPre=/bin/touch /${FOLDER}/user-data-started
ExecStart=/${FOLDER}/user-data
StandardOutput=journal+console
StandardError=journal+console
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
`;
