import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { eventually } from './scratch.ts';

/**
 * Waits until no loop device has a backing file below `prefix`. A mount namespace that another process made meanwhile
 * has a copy of every mount and keeps the device as long as it lives: such a one does not count.
 */
export async function noLoopsLeft(prefix: string): Promise<void> {
  await eventually(
    `no loop device is left over ${prefix}`,
    () => !loopFiles().some((file) => file.startsWith(prefix)) || heldElsewhere(prefix),
    30_000,
  );
}

const loopFiles = (): string[] =>
  execFileSync('losetup', ['--noheadings', '--raw', '--output', 'BACK-FILE'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '');

function heldElsewhere(prefix: string): boolean {
  const own = readlinkSync('/proc/self/ns/mnt');
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        if (readlinkSync(`/proc/${pid}/ns/mnt`) === own) return false;
        return readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(` ${prefix}`);
      } catch {
        return false;
      }
    });
}
