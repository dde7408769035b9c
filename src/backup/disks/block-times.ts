/** Longer than the kernel's clock for files stands still (CONFIG_HZ), and than a data is on its way to them. */
const MARGIN_NS = 100_000_000n;
const NS_PER_MS = 1_000_000n;

/**
 * The time that the blocks of a disk are given, by which the next save knows that nothing changed: the disk's own
 * change time (ctime), which every write moves and nobody can set. One from about when the disk was copied proves
 * nothing, as a write may have missed the copy and have the same time: the blocks then get a time that never comes
 * again, out of the `random` 48 bits of 1970.
 */
export function blockTime(changedNs: bigint, copiedAfter: Date, random: bigint): bigint {
  const limit = BigInt(copiedAfter.getTime()) * NS_PER_MS - MARGIN_NS;
  return changedNs < limit ? changedNs : random;
}
