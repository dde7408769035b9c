import { MullionError } from '../../contract/errors.ts';
import { syncBtrfs } from '../../host/btrfs.ts';
import { spaceOf } from '../../host/file-systems.ts';
import { run } from '../../host/run.ts';

const DAY_MS = 86_400_000;

export interface ScrubReport {
  readonly read: number;
  readonly corrected: number;
  readonly uncorrectable: number;
}

/** The counters of `btrfs scrub start -B -R` (btrfs-scrub(8)), by their names in the kernel's interface. */
export function readScrub(text: string): ScrubReport {
  const counter = (name: string): number =>
    Number(new RegExp(`^\\s*${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return {
    read: counter('data_bytes_scrubbed') + counter('tree_bytes_scrubbed'),
    // A copy of the superblock is no block of the count, and is written anew with the next transaction.
    corrected: counter('corrected_errors') + counter('super_errors'),
    uncorrectable: counter('uncorrectable_errors'),
  };
}

/** @throws MullionError `command_failed` with what is damaged */
export async function scrub(
  root: string,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<{ repaired: number }> {
  const { used } = await spaceOf(root);
  onProgress(0, used);
  // What is not on the disk yet is not read there.
  await syncBtrfs(root);
  // Exit code 3: errors that could not be corrected.
  const { stdout } = await run(['btrfs', 'scrub', 'start', '-B', '-R', root], {
    timeoutMs: DAY_MS,
    okCodes: [0, 3],
    signal,
  });
  const { read, corrected, uncorrectable } = readScrub(stdout);
  if (uncorrectable > 0) {
    throw new MullionError(
      'command_failed',
      `${uncorrectable} blocks of the pool are damaged and have no second copy${corrected > 0 ? `; ${corrected} more were repaired from theirs` : ''}.`,
      {
        remedy: `See which files with: dmesg | grep 'checksum error'; restore them from a backup`,
        details: { read, corrected, uncorrectable },
      },
    );
  }
  onProgress(read, read);
  return { repaired: corrected };
}
