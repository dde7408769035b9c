import { lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { makeBelowReadOnly, placeMount } from '../../../host/mounts.ts';
import type { Cover } from './proc-view.ts';
import type { Stage } from './stage.ts';

export interface Dress {
  readonly covers: readonly Cover[];
  /** What lxcfs serves: descriptors by the path below /proc. */
  readonly shares: ReadonlyMap<string, number>;
}

/** Mounts of covers that stand nowhere yet. */
export interface ReadyCovers {
  /** What lxcfs served when they were made. */
  readonly shares: Dress['shares'];
  /** For folders or for files, by the path below /proc. */
  readonly made: ReadonlyMap<
    string,
    { readonly cover: Cover; readonly isFolder: boolean; readonly fd: number }
  >;
}

/** For what this host's /proc has. */
export function readyCovers(stage: Stage, { covers, shares }: Dress): ReadyCovers {
  const made = new Map(
    covers.flatMap((cover) => {
      const there = lstatSync(join('/proc', cover.path), { throwIfNoEntry: false });
      if (there === undefined || there.isSymbolicLink()) return [];
      const isFolder = there.isDirectory();
      return [[cover.path, { cover, isFolder, fd: pickCover(stage, cover, isFolder, shares) }] as const];
    }),
  );
  return { shares, made };
}

/** A path that this kernel does not have is passed over. What is ready is used where it still fits. */
export function layCovers(stage: Stage, { covers, shares }: Dress, ready?: ReadyCovers): void {
  const { place } = stage;
  for (const cover of covers) {
    const target = join(place('proc'), cover.path);
    const there = lstatSync(target, { throwIfNoEntry: false });
    if (there === undefined || there.isSymbolicLink()) continue;
    const isFolder = there.isDirectory();
    const known = ready?.shares === shares ? ready.made.get(cover.path) : undefined;
    const fits = known?.isFolder === isFolder && isDeepStrictEqual(known.cover, cover);
    placeMount(fits ? known.fd : pickCover(stage, cover, isFolder, shares), target);
  }
  makeBelowReadOnly(place('proc'));
}

function pickCover(
  { mounts, place }: Stage,
  cover: Cover,
  isFolder: boolean,
  shares: Dress['shares'],
): number {
  const counted = shares.get(cover.path);
  if (counted !== undefined) return mounts.pick(`/proc/self/fd/${counted}`);
  if (cover.by === 'nothing') return mounts.pick(place(isFolder ? 'none' : 'empty'));
  return mounts.pick(writeText(join(place('text'), cover.path), cover.text));
}

function writeText(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o444 });
  return path;
}
