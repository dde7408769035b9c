import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { MullionError } from '../contract/errors.ts';
import { checkVolumeId, STAGING_SUFFIX } from './volume-id.ts';

const OwnerSchema = z.object({ instance: z.string(), backend: z.enum(['btrfs', 'dir']) });
export type PoolOwner = z.infer<typeof OwnerSchema>;

/**
 * The folders of a pool, the same in every backend. Others than root may pass through to what they were given by path, but
 * list nothing; each volume and image is root's alone until its driver opens it, because set-uid programs lie inside.
 */
export class PoolFolders {
  readonly root: string;
  readonly #volumes: string;
  readonly #images: string;
  readonly #making: string;
  readonly #snapshots: string;
  readonly #accounts: string;
  readonly #seeds: string;

  constructor(root: string) {
    this.root = root;
    this.#volumes = join(root, 'volumes');
    this.#images = join(root, 'images');
    this.#making = join(root, 'making');
    this.#snapshots = join(root, 'snapshots');
    this.#accounts = join(root, 'accounts');
    this.#seeds = join(root, 'seeds');
  }

  /** Makes the folders and claims them for this installation. @throws MullionError `in_use` when another has them */
  prepare(owner: PoolOwner): void {
    claim(this.root, owner);
    for (const folder of [this.#volumes, this.#images, this.#making, this.#snapshots, this.#accounts]) {
      mkdirSync(folder, { recursive: true });
      chmodSync(folder, 0o711);
    }
  }

  /** What new volumes are made of, where the backend needs it: the seed, or a copy of it. */
  seed(name = 'seed'): string {
    return join(this.#seeds, checkVolumeId(name));
  }
  volume(id: string): string {
    return join(this.#volumes, checkVolumeId(id));
  }
  image(id: string): string {
    return join(this.#images, checkVolumeId(id));
  }
  staging(id: string): string {
    return `${this.image(id)}${STAGING_SUFFIX}`;
  }
  /** Holds the snapshots of one volume. */
  snapshotsOf(volume: string): string {
    return join(this.#snapshots, checkVolumeId(volume));
  }
  snapshot(volume: string, name: string): string {
    return join(this.snapshotsOf(volume), checkVolumeId(name));
  }
  /** What is known of a volume's limit beside what the file system knows. */
  account(volume: string): string {
    return join(this.#accounts, checkVolumeId(volume));
  }
  /** Where a volume or image is made, or taken apart, unseen. */
  making(id: string): string {
    return join(this.#making, checkVolumeId(id));
  }

  listVolumes(): string[] {
    return readdirSync(this.#volumes).sort();
  }
  listSnapshots(volume: string): string[] {
    const folder = this.snapshotsOf(volume);
    return existsSync(folder) ? readdirSync(folder).sort() : [];
  }
  listImages(): { readonly id: string; readonly sealed: boolean }[] {
    return readdirSync(this.#images)
      .sort()
      .map((name) =>
        name.endsWith(STAGING_SUFFIX)
          ? { id: name.slice(0, -STAGING_SUFFIX.length), sealed: false }
          : { id: name, sealed: true },
      );
  }
  listAccounts(): string[] {
    return readdirSync(this.#accounts).filter((name) => !name.endsWith('.new'));
  }
  /** Paths of what was left half made or half deleted. */
  leftovers(): string[] {
    return readdirSync(this.#making).map((name) => join(this.#making, name));
  }
}

const ownerFile = (root: string): string => join(root, '.mullion-pool');

/** Who claimed this folder; undefined when nobody did. */
export function readOwner(root: string): PoolOwner | undefined {
  const file = ownerFile(root);
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  try {
    return OwnerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new MullionError('host_unfit', `The file ${file} cannot be read.`, {
      remedy: `Write {"instance":"...","backend":"..."} into it, or remove it when the pool is yours`,
      cause,
    });
  }
}

function claim(root: string, owner: PoolOwner): void {
  const former = readOwner(root);
  if (former === undefined) {
    const draft = `${ownerFile(root)}.${owner.instance}`;
    writeFileSync(draft, `${JSON.stringify(owner)}\n`, { mode: 0o600, flush: true });
    renameSync(draft, ownerFile(root));
    return;
  }
  if (former.instance === owner.instance && former.backend === owner.backend) return;
  throw new MullionError(
    'in_use',
    `The pool ${root} belongs to the installation ${former.instance} (${former.backend}).`,
    {
      remedy: `Choose another pool path; or, when that installation is gone, remove ${ownerFile(root)}`,
    },
  );
}
