import { randomBytes } from 'node:crypto';
import type { ArchiveEntry } from '../archive/entry.ts';
import type { Machine } from '../driver.ts';
import { textFile, wanted } from './text-file.ts';

const FOLDER = 'var/lib/mullion';
const UNITS = 'etc/systemd/system';
const FORGET_UNIT = 'mullion-forget.service';
const KEYS_UNIT = 'mullion-ssh-keys.service';
const KEYS_TIMER = 'mullion-ssh-keys.timer';
const SCRIPT_UNIT = 'mullion-user-data.service';
/** Of servers of SSH, whichever the image has: they start with the system, or with the first connection. */
const SSH_UNITS = ['ssh.service', 'sshd.service', 'ssh@.service', 'sshd@.service'];

/**
 * What happens once. Host keys are made anew for each machine id, so that neither an image nor a copy shares them: before a
 * server of SSH starts, or else once the system has booted, as they take an emulated processor two seconds. The VPS's own
 * script runs at its first start, even when that start is cut short.
 */
export function firstStartFiles({ machineId, userData }: Machine): ArchiveEntry[] {
  return [
    { kind: 'directory', path: FOLDER, mode: 0o755 },
    textFile(`${UNITS}/${FORGET_UNIT}`, forgetUnit(machineId)),
    wanted(FORGET_UNIT, `/${UNITS}/${FORGET_UNIT}`),
    textFile(`${UNITS}/${KEYS_UNIT}`, keysUnit(machineId)),
    textFile(`${UNITS}/${KEYS_TIMER}`, keysTimer(machineId)),
    wanted(KEYS_TIMER, `/${UNITS}/${KEYS_TIMER}`),
    ...SSH_UNITS.map((unit) => wanted(KEYS_UNIT, `/${UNITS}/${KEYS_UNIT}`, unit)),
    textFile(`${FOLDER}/make-host-keys`, MAKE_HOST_KEYS, 0o755),
    ...(userData === undefined
      ? []
      : [
          textFile(`${FOLDER}/user-data`, executable(userData), 0o700),
          textFile(`${UNITS}/${SCRIPT_UNIT}`, SCRIPT_UNIT_TEXT),
          wanted(SCRIPT_UNIT, `/${UNITS}/${SCRIPT_UNIT}`),
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

const marker = (machineId: string): string => `/${FOLDER}/host-keys-${machineId}`;

/** What another server left in an image or a copy: nobody else may have it. A new VPS has none of it, and starts no program. */
const LEFT = [
  `/${FOLDER}/host-keys-*`,
  '/etc/ssh/ssh_host_*_key',
  '/etc/ssh/ssh_host_*_key.pub',
  '/var/lib/dhcp/*.leases',
  '/var/lib/systemd/credential.secret',
  '/var/lib/NetworkManager/secret_key',
];
/** An image may have it as a link to /etc/machine-id. */
const LEFT_BUS_ID = '/var/lib/dbus/machine-id';

const forgetUnit = (machineId: string): string => `[Unit]
Description=Forget what this server's image or original knew of itself
ConditionPathExists=!${marker(machineId)}
${LEFT.map((path) => `ConditionPathExistsGlob=|${path}`).join('\n')}
ConditionPathIsSymbolicLink=|!${LEFT_BUS_ID}
After=local-fs.target systemd-remount-fs.service
Before=${KEYS_UNIT}

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'rm -f ${LEFT.join(' ')}; [ -L ${LEFT_BUS_ID} ] || rm -f ${LEFT_BUS_ID}'

[Install]
WantedBy=multi-user.target
`;

/** No RSA key: it takes many seconds on an emulated processor, and every client of today knows the others. */
const MAKE_HOST_KEYS = `#!/bin/sh
# Gives this server SSH host keys of its own, once for each machine id.
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
ConditionPathExists=!${marker(machineId)}
After=local-fs.target systemd-remount-fs.service ${FORGET_UNIT}
Before=${SSH_UNITS.filter((unit) => !unit.includes('@')).join(' ')} mullion-ssh-key.service

[Service]
Type=oneshot
ExecStart=/${FOLDER}/make-host-keys ${marker(machineId)}

[Install]
WantedBy=${SSH_UNITS.join(' ')}
`;

const keysTimer = (machineId: string): string => `[Unit]
Description=SSH host keys of this server, once it has booted
ConditionPathExists=!${marker(machineId)}

[Timer]
OnBootSec=15s
AccuracySec=1s

[Install]
WantedBy=multi-user.target
`;

const SCRIPT_UNIT_TEXT = `[Unit]
Description=The first script of this server
ConditionPathExists=!/${FOLDER}/user-data-started
After=network.target systemd-networkd.service ${FORGET_UNIT} ${KEYS_UNIT}

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
