import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import { formatSize } from '../../contract/sizes.ts';
import { dataOf, firstOwnTransaction, limitSubvolume, subvolumeUsage } from '../../host/btrfs.ts';
import type { PoolFolders } from '../pool-folders.ts';

const AccountSchema = z.object({
  /** Of the volume itself, in bytes. */
  limit: z.number(),
  /** Oldest first; `charged` is what the volume was charged for when the snapshot was made. */
  snapshots: z.array(z.object({ name: z.string(), charged: z.number() })),
  /** The transaction from which on data are the volume's own, of one that was restored: it is younger than they are. */
  born: z.string().regex(/^\d+$/).optional(),
});
type Account = z.infer<typeof AccountSchema>;

/**
 * Limits of volumes that have snapshots. The kernel charges a volume for all that it wrote and that is kept, be it by a
 * snapshot alone; so that this does not eat the volume's own room, its limit in the kernel is larger by what the volume
 * was charged for at the time of its newest snapshot: no more can be kept by snapshots alone.
 */
export class Accounts {
  readonly #folders: PoolFolders;

  constructor(folders: PoolFolders) {
    this.#folders = folders;
  }

  /** The limit that was asked for. */
  limitOf(id: string): number | undefined {
    return this.#read(id)?.limit ?? subvolumeUsage(this.#folders.volume(id)).limit;
  }

  setLimit(id: string, limit: number): void {
    this.#change(id, (account) => ({ ...account, limit }));
  }

  /**
   * Refuses a volume that holds more than its own limit, as `copy` shows it: what its snapshots may keep it may hold itself, and
   * each further one would let it hold still more. Only what it was charged for since it was made counts.
   * @throws MullionError `insufficient_disk`
   */
  async requireWithinLimit(id: string, copy: string): Promise<void> {
    const volume = this.#folders.volume(id);
    const limit = this.limitOf(id);
    if (limit === undefined || subvolumeUsage(volume).used <= limit) return;
    let held = 0;
    for await (const { size } of dataOf(copy, this.#born(id))) held += size;
    if (held <= limit) return;
    throw new MullionError(
      'insufficient_disk',
      `It holds ${formatSize(held)}, more than its limit of ${formatSize(limit)}, which older snapshots let it: there is no further one until it holds less.`,
      {
        remedy: 'Delete data in it, or raise its disk: mullion set NAME disk=SIZE',
        details: { held, limit },
      },
    );
  }

  /** Before another subvolume takes the volume's place. */
  succeed(id: string): void {
    const born = String(this.#born(id));
    this.#change(id, (account) => ({ ...account, born }));
  }

  #born(id: string): bigint {
    const born = this.#read(id)?.born;
    return born === undefined ? firstOwnTransaction(this.#folders.volume(id)) : BigInt(born);
  }

  addSnapshot(id: string, name: string): void {
    const { used: charged } = subvolumeUsage(this.#folders.volume(id));
    this.#change(id, ({ snapshots, ...account }) => ({
      ...account,
      snapshots: [...without(snapshots, name), { name, charged }],
    }));
  }

  removeSnapshot(id: string, name: string): void {
    if (this.#read(id) === undefined) return;
    this.#change(id, (account) => ({ ...account, snapshots: without(account.snapshots, name) }));
  }

  /** Brings the kernel's limits in line with what was written before a kill. */
  apply(id: string): void {
    const account = this.#read(id);
    if (account === undefined) return;
    if (existsSync(this.#folders.volume(id))) limitSubvolume(this.#folders.volume(id), inKernel(account));
    else this.forget(id);
  }

  forget(id: string): void {
    rmSync(this.#folders.account(id), { force: true });
  }

  #change(id: string, change: (account: Account) => Account): void {
    const limit = this.limitOf(id);
    if (limit === undefined) return;
    const account = change(this.#read(id) ?? { limit, snapshots: [] });
    if (account.snapshots.length === 0 && account.born === undefined) {
      limitSubvolume(this.#folders.volume(id), account.limit);
      this.forget(id);
      return;
    }
    const file = this.#folders.account(id);
    writeFileSync(`${file}.new`, JSON.stringify(account), { mode: 0o600 });
    renameSync(`${file}.new`, file);
    limitSubvolume(this.#folders.volume(id), inKernel(account));
  }

  #read(id: string): Account | undefined {
    const file = this.#folders.account(id);
    if (!existsSync(file)) return undefined;
    return AccountSchema.safeParse(parse(readFileSync(file, 'utf8'))).data;
  }
}

const inKernel = ({ limit, snapshots }: Account): number => limit + (snapshots.at(-1)?.charged ?? 0);

const without = (snapshots: Account['snapshots'], name: string): Account['snapshots'] =>
  snapshots.filter((snapshot) => snapshot.name !== name);

/** A file that a full disk or a lost host left empty counts as none. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
