import { basename } from 'node:path';
import type { ArchiveEntry } from '../archive/entry.ts';
import type { Machine } from '../driver.ts';
import { AGENT_NICE } from '../guest-agent/agent-priority.ts';
import { runnerFile } from '../guest-agent/runner-file.ts';
import { textFile } from '../provision/text-file.ts';
import { GUEST_DISK } from './command-line.ts';
import { AGENT_LINE, guestDevice } from './lines.ts';

/** systemd reads units there too, and it is gone with the machine: nothing of it stays on the disk (systemd.unit(5)). */
const UNITS = 'run/systemd/system';
const AGENT = 'mullion-guest-agent.service';

/** What a guest needs to know of the machine that it runs on, besides its identity. */
export function machineFiles({ nics }: Machine): ArchiveEntry[] {
  return [
    textFile(`${UNITS}/${AGENT}`, AGENT_UNIT),
    startedBy('sysinit.target', AGENT),
    runnerFile(),
    // Both begin with the same file system: what looks for it by its label or id is to find the partition.
    textFile(
      'run/udev/rules.d/59-mullion-disk.rules',
      `KERNEL=="${basename(GUEST_DISK)}", ENV{UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG}="1"\n`,
    ),
    // Whoever has looked for a module keeps its list open.
    textFile(`${UNITS}/usr-lib-modules.mount.d/10-mullion.conf`, '[Mount]\nLazyUnmount=yes\n'),
    // Nothing else can ask a guest without an agent to end: the management console presses Ctrl-Alt-Del.
    { kind: 'symlink', path: `${UNITS}/ctrl-alt-del.target`, target: '/lib/systemd/system/poweroff.target' },
    ...nics.map(({ mac, guestLink }) =>
      textFile(
        `run/systemd/network/10-mullion-${guestLink}.link`,
        `[Match]\nMACAddress=${mac}\n\n[Link]\nName=${guestLink}\n`,
      ),
    ),
  ];
}

/**
 * What the initial file system does otherwise than on other machines: the image's modules are none of this kernel's, which
 * has all that it needs to boot; its own come from the host, as it does, and are laid over the image's.
 */
export const bootFiles = (): ArchiveEntry[] => [
  textFile('modules/order', ''),
  textFile('mullion/machine', MOUNT_MODULES, 0o600),
];

const MOUNT_MODULES = `mkdir -p /root/usr/lib/modules
mount -t hostfs -o ro none /root/usr/lib/modules || echo 'mullion: the modules of the kernel are not there' >&2
`;

const startedBy = (target: string, unit: string): ArchiveEntry => ({
  kind: 'symlink',
  path: `${UNITS}/${target}.wants/${unit}`,
  target: `../${unit}`,
});

/** The line is opened before anything else may write on it, and is the agent's alone. */
const AGENT_UNIT = `[Unit]
Description=QEMU guest agent on this machine's second serial line
DefaultDependencies=no
After=systemd-remount-fs.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
ExecStart=/usr/sbin/qemu-ga --method=isa-serial --path=${guestDevice(AGENT_LINE)}
Restart=always
RestartSec=1
Nice=${AGENT_NICE}
`;
