import assert from 'node:assert/strict';
import type { VpsDoor } from './vps-door.ts';

const MIB = 1024 ** 2;
export const READ_RATE = MIB;
export const WRITE_RATE = MIB;

/** Prints milliseconds that it takes to write as much to the disk, and then to read it from there. */
export const writeAndRead = (mebibytes: number): string => `now() { cut -d' ' -f1 /proc/uptime | tr -d .; }
sync; a=$(now); dd if=/dev/zero of=/root/data bs=64k count=${mebibytes * 16} conv=fsync 2>/dev/null; b=$(now)
echo 3 >/proc/sys/vm/drop_caches; c=$(now); dd if=/root/data of=/dev/null bs=64k 2>/dev/null; d=$(now)
echo ${mebibytes} $(((b-a)*10)) $(((d-c)*10))`;

/** Bytes a second. */
export function ratesIn(output: string): { readonly write: number; readonly read: number } {
  const [mebibytes = 0, write, read] = output.trim().split(' ').map(Number);
  assert.ok(write !== undefined && read !== undefined && write >= 0 && read >= 0, output);
  return { write: (mebibytes * MIB * 1000) / write, read: (mebibytes * MIB * 1000) / read };
}

/** A busy machine may do less than it may; never more, but for the tenth of a second that a bucket holds. */
export function assertNear(measured: number, limit: number, what: string): void {
  const share = measured / limit;
  assert.ok(share > 0.4 && share < 1.25, `${what}: ${Math.round(share * 100)}% of its limit`);
}

const PATIENCE = { timeoutMs: 120_000 };

/** Bytes a second that dd(1) writes in a VPS, by its own clock. */
export const written = (
  door: VpsDoor,
  vps: string,
  count: number,
  more = 'bs=1M oflag=direct',
): Promise<number> => copied(door, vps, `if=/dev/zero of=/root/data conv=notrunc count=${count} ${more}`);

/** Bytes a second that dd(1) reads of what was written. */
export const read = (
  door: VpsDoor,
  vps: string,
  count: number,
  more = 'bs=1M iflag=direct',
): Promise<number> => copied(door, vps, `if=/root/data of=/dev/null count=${count} ${more}`);

async function copied(door: VpsDoor, vps: string, argument: string): Promise<number> {
  const said = await door.inside(vps, `LC_ALL=C dd ${argument} 2>&1`, PATIENCE);
  const [, bytes, seconds] = /(\d+) bytes.* copied, ([\d.e-]+) s/.exec(said) ?? [];
  assert.ok(bytes !== undefined && seconds !== undefined, said);
  return Number(bytes) / Number(seconds);
}
