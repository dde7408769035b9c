import { chmodSync, chownSync, closeSync, constants, lstatSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { layOver, removeFiles, type TreeEntry } from '../../host/guest-tree.ts';
import { cloneMount, mountOverlay, unmount } from '../../host/mounts.ts';
import { OWN_FILES } from '../provision/own-files.ts';

/** Where something is mounted before the first program runs: it must be there, as nobody can make it then. */
const MOUNT_POINTS = ['proc', 'sys', 'dev', 'run', 'tmp', 'root'];

export interface RootLayers {
  /** Read-only tree, ids as inside. */
  readonly image: string;
  /** Folder with `upper` and `work`, ids as inside. */
  readonly volume: string;
}
export interface RootPlaces {
  readonly root: string;
  readonly lower: string;
  readonly volume: string;
}

/** Makes a volume's folders; what is there stays. */
export function populateRoot({ image, volume }: RootLayers): void {
  const upper = join(volume, 'upper');
  for (const [path, mode] of [
    [upper, 0o755],
    [join(volume, 'work'), 0o700],
  ] as const) {
    mkdirSync(path, { recursive: true });
    chownSync(path, 0, 0);
    chmodSync(path, mode);
  }
  const missing = MOUNT_POINTS.filter(
    (name) => lstatSync(join(image, name), { throwIfNoEntry: false }) === undefined,
  );
  const entries = missing.map(
    (path): TreeEntry => ({ kind: 'directory', path, mode: path === 'tmp' ? 0o1777 : 0o755 }),
  );
  layOver(upper, image, entries);
}

/** Takes what only another server may have out of a volume that was copied from it. */
export function individualizeRoot(volume: string): void {
  for (const { folder, names } of OWN_FILES) removeFiles(join(volume, 'upper'), folder, names);
}

/**
 * Mounts the VPS's root: its own layer over the image, both with the ids of `userNamespace`. Afterwards only `root` is
 * left mounted, as an overlay keeps its layers for itself. @throws SystemError
 */
export function mountRoot({ image, volume }: RootLayers, places: RootPlaces, userNamespace: number): void {
  for (const place of [places.root, places.lower, places.volume]) mkdirSync(place, { recursive: true });
  try {
    cloneMount(image, places.lower, { userNamespace, readOnly: true });
    cloneMount(volume, places.volume, { userNamespace });
    // Guests read the options of their root's mount: these names tell nothing of the host.
    using lower = openFolder(places.lower);
    using own = openFolder(places.volume);
    mountOverlay(places.root, {
      lower: [lower.path],
      upper: join(own.path, 'upper'),
      work: join(own.path, 'work'),
    });
  } finally {
    unmount(places.volume);
    unmount(places.lower);
  }
}

/** A folder by a name that holds as long as it is open. */
function openFolder(folder: string): Disposable & { readonly path: string } {
  const fd = openSync(folder, constants.O_DIRECTORY | constants.O_RDONLY);
  return { path: `/proc/self/fd/${fd}`, [Symbol.dispose]: () => closeSync(fd) };
}

/** Afterwards nothing is mounted at any place. */
export function unmountRoot(places: RootPlaces): void {
  for (const place of [places.root, places.volume, places.lower]) unmount(place);
}
