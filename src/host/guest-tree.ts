import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { makeNode, S_IFBLK, S_IFCHR } from './nodes.ts';
import { hasCode } from './system-error.ts';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW } = constants;
const TEMPORARY = '.mullion-new';
/** Of a directory that nobody says more about. */
const USUAL_MODE = 0o755;

interface TreeFile {
  readonly kind: 'file';
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
}
interface TreeDevice {
  readonly kind: 'device';
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly device: { readonly type: 'block' | 'character'; readonly major: number; readonly minor: number };
}
type TreeLeaf =
  | TreeFile
  | TreeDevice
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string };
export type TreeEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | TreeLeaf;

export interface TreeOutcome {
  /** Entries that could not be laid where they belong, with the reason: their place is the guest's doing. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * Lays `entries` over the tree at `upper`, which a guest may have filled with links that point anywhere: no link of it
 * is ever followed, each step is taken from the descriptor of the one before. A directory that only `lower` has is made
 * with the mode and owner it has there, so that an overlay of both shows it unchanged. What is as wanted stays untouched.
 * Files belong to id 0 of the tree. @throws an error with an errno code when `upper` itself cannot be used
 */
export function layOver(upper: string, lower: string, entries: readonly TreeEntry[]): TreeOutcome {
  const skipped: { path: string; reason: string }[] = [];
  using directories = new Directories(upper, lower);
  for (const entry of entries) {
    try {
      const parts = checkedParts(entry.path);
      const parent =
        entry.kind === 'directory'
          ? directories.open(parts, entry.mode)
          : directories.open(parts.slice(0, -1), USUAL_MODE);
      if ('obstacle' in parent) skipped.push({ path: entry.path, reason: parent.obstacle });
      else if (entry.kind !== 'directory') lay(parent.fd, parts.at(-1) ?? '', entry);
    } catch (failure) {
      if (!hasCode(failure, 'ENOSPC', 'EDQUOT', 'EISDIR', 'ENOTEMPTY', 'ENOTDIR', 'ELOOP', 'EPERM'))
        throw failure;
      skipped.push({
        path: entry.path,
        reason: failure instanceof Error ? failure.message : String(failure),
      });
    }
  }
  return { skipped };
}

/**
 * Removes from one folder of the tree at `upper` the files of these names; directories stay. No link is followed, and a
 * folder that is not there, or is none, is left as it is.
 */
export function removeFiles(upper: string, folder: string, names: RegExp): void {
  let fd = openSync(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    for (const part of checkedParts(folder)) {
      if (statIfThere(below(fd, part))?.isDirectory() !== true) return;
      const next = openSync(below(fd, part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      closeSync(fd);
      fd = next;
    }
    for (const name of readdirSync(`/proc/self/fd/${fd}`)) {
      if (!names.test(name)) continue;
      const present = statIfThere(below(fd, name));
      if (present !== undefined && !present.isDirectory() && !isWhiteout(present))
        removeIfThere(below(fd, name));
    }
  } finally {
    closeSync(fd);
  }
}

function checkedParts(path: string): string[] {
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..') || path.includes('\0')) {
    throw new TypeError(`"${path}" is no path inside a tree`);
  }
  return parts;
}

/** A name below an open directory; the link in /proc leads to the directory itself, wherever its name went. */
const below = (directory: number, name: string): string => `/proc/self/fd/${directory}/${name}`;

interface OpenDirectory {
  readonly fd: number;
  readonly model: Model;
}

/** Directories of a tree, each opened once, and made where it is missing. */
class Directories implements Disposable {
  readonly #opened = new Map<string, OpenDirectory>();

  constructor(upper: string, lower: string) {
    const fd = openSync(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    this.#opened.set('', { fd, model: { path: lower, stat: undefined } });
  }

  /** `newMode` is for one that `lower` lacks; those on the way to it get the usual one. */
  open(parts: readonly string[], newMode: number): OpenDirectory | { readonly obstacle: string } {
    const path = parts.join('/');
    const known = this.#opened.get(path);
    if (known !== undefined) return known;
    const above = this.open(parts.slice(0, -1), USUAL_MODE);
    if ('obstacle' in above) return above;
    const name = parts.at(-1) ?? '';
    const model = stepDown(above.model, name);
    const present = presentIn(above.fd, name);
    if ((present ?? model.stat)?.isDirectory() === false) return { obstacle: `/${path} is not a directory` };
    if (present === undefined) makeDirectory(above.fd, name, model.stat?.mode ?? newMode, model.stat);
    const fd = openSync(below(above.fd, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    const directory = { fd, model };
    this.#opened.set(path, directory);
    return directory;
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#opened.values()) closeSync(fd);
  }
}

/** The same place in `lower`; no path below what is no directory. */
interface Model {
  readonly path: string | undefined;
  readonly stat: Stats | undefined;
}

function stepDown({ path }: Model, name: string): Model {
  if (path === undefined) return { path, stat: undefined };
  const stat = statIfThere(`${path}/${name}`);
  return { path: stat?.isDirectory() === true ? `${path}/${name}` : undefined, stat };
}

/**
 * What `upper` holds under this name. overlayfs marks a deleted name by a character device 0/0
 * (Documentation/filesystems/overlayfs, "whiteouts"): that is nothing, and makes room.
 */
function presentIn(directory: number, name: string): Stats | undefined {
  const present = statIfThere(below(directory, name));
  if (present === undefined || !isWhiteout(present)) return present;
  unlinkSync(below(directory, name));
  return undefined;
}

const isWhiteout = (present: Stats): boolean => present.isCharacterDevice() && present.rdev === 0;

function lay(parent: number, name: string, entry: TreeLeaf): void {
  const present = statIfThere(below(parent, name));
  switch (entry.kind) {
    case 'symlink': {
      if (present?.isSymbolicLink() === true && readlinkSync(below(parent, name)) === entry.target) return;
      inEmptyPlace(parent, (place) => symlinkSync(entry.target, place));
      break;
    }
    case 'device': {
      const { type, major, minor } = entry.device;
      inEmptyPlace(parent, (place) => makeNode(place, type === 'block' ? S_IFBLK : S_IFCHR, major, minor));
      lchownSync(below(parent, TEMPORARY), entry.uid, entry.gid);
      chmodSync(below(parent, TEMPORARY), entry.mode);
      break;
    }
    case 'file': {
      if (present !== undefined && holds(parent, name, present, entry)) return;
      writeNew(parent, entry);
      break;
    }
  }
  try {
    renameSync(below(parent, TEMPORARY), below(parent, name));
  } catch (failure) {
    removeIfThere(below(parent, TEMPORARY));
    throw failure;
  }
}

/** Makes something where a run that was cut short may have left its own. */
function inEmptyPlace<T>(parent: number, make: (place: string) => T): T {
  const place = below(parent, TEMPORARY);
  try {
    return make(place);
  } catch (failure) {
    if (!hasCode(failure, 'EEXIST')) throw failure;
    removeIfThere(place);
    return make(place);
  }
}

function writeNew(parent: number, entry: TreeFile): void {
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  const file = inEmptyPlace(parent, (place) => openSync(place, flags, 0o600));
  try {
    writeFileSync(file, entry.content);
    fchownSync(file, 0, 0);
    fchmodSync(file, entry.mode);
  } catch (failure) {
    removeIfThere(below(parent, TEMPORARY));
    throw failure;
  } finally {
    closeSync(file);
  }
}

function holds(parent: number, name: string, present: Stats, entry: TreeFile): boolean {
  if (!present.isFile() || present.size !== entry.content.length || present.uid !== 0 || present.gid !== 0) {
    return false;
  }
  if ((present.mode & 0o7777) !== entry.mode || present.nlink !== 1) return false;
  const file = openSync(below(parent, name), O_RDONLY | O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return fstatSync(file).isFile() && readFileSync(file).equals(entry.content);
  } finally {
    closeSync(file);
  }
}

function makeDirectory(parent: number, name: string, mode: number, owner: Stats | undefined): void {
  mkdirSync(below(parent, name), 0o700);
  const made = openSync(below(parent, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    fchownSync(made, owner?.uid ?? 0, owner?.gid ?? 0);
    fchmodSync(made, mode & 0o7777);
  } finally {
    closeSync(made);
  }
}

function statIfThere(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (failure) {
    if (hasCode(failure, 'ENOTDIR')) return undefined;
    throw failure;
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (failure) {
    if (!hasCode(failure, 'ENOENT')) throw failure;
  }
}
