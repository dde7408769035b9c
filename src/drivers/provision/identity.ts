import type { ArchiveEntry } from '../archive/entry.ts';
import type { Machine } from '../driver.ts';
import { environmentFiles } from './environment.ts';
import { firstStartFiles } from './first-start.ts';
import { networkFiles } from './network-files.ts';
import { masked, textFile } from './text-file.ts';

/**
 * What makes a copy of an image this VPS and no other: its name, addresses, keys and first script. The same for every
 * technique; written over the root file system before each start. Directories that are in the way are left out: whoever
 * writes makes those that are missing.
 */
export function identityFiles(machine: Machine): ArchiveEntry[] {
  return [
    textFile('etc/hostname', `${machine.name}\n`),
    textFile('etc/machine-id', `${machine.machineId}\n`, 0o444),
    ...networkFiles(machine),
    ...environmentFiles(machine.env),
    ...keyFiles(machine.sshKeys),
    ...firstStartFiles(machine),
    // It would ask on the console for what stands above (systemd-firstboot(1)).
    masked('systemd-firstboot.service'),
  ];
}

/**
 * Keys that Mullion manages have the second of the two files that sshd reads by default (sshd_config(5),
 * AuthorizedKeysFile): keys that the VPS's owner adds to the first survive a restart.
 */
function keyFiles(keys: readonly string[]): ArchiveEntry[] {
  return [
    { kind: 'directory', path: 'root/.ssh', mode: 0o700 },
    textFile('root/.ssh/authorized_keys2', keys.map((key) => `${key}\n`).join(''), 0o600),
  ];
}
