import { accessSync, closeSync, constants, readFileSync } from 'node:fs';
import { MullionError } from '../contract/errors.ts';
import {
  checked,
  libc,
  mountSetattr,
  moveMount,
  O_CLOEXEC,
  openTree,
  umountElsewhere,
} from './syscalls/libc.ts';
import { hasCode, SystemError } from './system-error.ts';

/** Flags of mount(2). */
export const MS = {
  rdonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  remount: 32,
  noatime: 1024,
  bind: 4096,
  rec: 16_384,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

const OPEN_TREE_CLONE = 1;
const AT_RECURSIVE = 0x8000;
const MOUNT_ATTR_RDONLY = 1n;
const MOUNT_ATTR_IDMAP = 0x100000n;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
/** More layers than this on one mount point are somebody else's. */
const LAYERS = 64;

export interface MountEntry {
  readonly target: string;
  readonly source: string;
  readonly fstype: string;
  /** Of the mount and of its file system. */
  readonly options: readonly string[];
}

export interface CloneOptions {
  /** Descriptor of the user namespace whose map translates the ids (mount_setattr(2), "ID-mapped mounts"). */
  readonly userNamespace?: number | undefined;
  readonly readOnly?: boolean | undefined;
}

/** Mounts what `source` shows at the existing `target`. @throws SystemError */
export function cloneMount(source: string, target: string, options: CloneOptions = {}): void {
  const tree = openTree(source, OPEN_TREE_CLONE | O_CLOEXEC);
  try {
    const set =
      (options.userNamespace === undefined ? 0n : MOUNT_ATTR_IDMAP) |
      (options.readOnly === true ? MOUNT_ATTR_RDONLY : 0n);
    if (set !== 0n) mountSetattr(tree, renderMountAttributes({ set, userNamespace: options.userNamespace }));
    moveMount(tree, target);
  } finally {
    closeSync(tree);
  }
}

/** A mount that shows what `path` shows and stands nowhere yet, by descriptor. @throws SystemError */
export function pickMount(
  path: string,
  options: { readonly readOnly?: boolean; readonly withMountsBelow?: boolean } = {},
): number {
  const below = options.withMountsBelow === true ? AT_RECURSIVE : 0;
  const fd = openTree(path, OPEN_TREE_CLONE | O_CLOEXEC | below);
  if (options.readOnly === true) mountSetattr(fd, renderMountAttributes({ set: MOUNT_ATTR_RDONLY }));
  return fd;
}

/** Puts a mount of `pickMount` on an existing place; a link there is not followed. @throws SystemError */
export const placeMount = (fd: number, target: string): number => moveMount(fd, target);

/** Moves the mount that stands at `from`, with all below, to another existing place. False when none does. @throws SystemError */
export function carryMount(from: string, to: string): boolean {
  const fd = openTree(from, O_CLOEXEC);
  try {
    moveMount(fd, to);
    return true;
  } catch (failure) {
    if (hasCode(failure, 'EINVAL')) return false;
    throw failure;
  } finally {
    closeSync(fd);
  }
}

/** Nothing can be written by way of the mounts below the one at `target`, which itself can be. @throws SystemError */
export function makeBelowReadOnly(target: string): void {
  const fd = openTree(target, O_CLOEXEC);
  try {
    mountSetattr(fd, renderMountAttributes({ set: MOUNT_ATTR_RDONLY }), AT_RECURSIVE);
    mountSetattr(fd, renderMountAttributes({ clear: MOUNT_ATTR_RDONLY }));
  } finally {
    closeSync(fd);
  }
}

/** How mounts on this one reach its copies (mount_namespaces(7), "Shared subtrees"). @throws SystemError */
export function setPropagation(
  fd: number,
  propagation: 'shared' | 'slave' | 'private',
  { withMountsBelow = false }: { readonly withMountsBelow?: boolean } = {},
): void {
  const flags = withMountsBelow ? AT_RECURSIVE : 0;
  mountSetattr(fd, renderMountAttributes({ propagation: MS[propagation] }), flags);
}

interface MountAttributes {
  readonly set?: bigint;
  readonly clear?: bigint;
  readonly propagation?: number;
  readonly userNamespace?: number | undefined;
}

/** struct mount_attr: attr_set, attr_clr, propagation, userns_fd; 64 bits each. */
function renderMountAttributes(wanted: MountAttributes): Uint8Array {
  const { set = 0n, clear = 0n, propagation = 0, userNamespace = 0 } = wanted;
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(set, 0);
  attributes.writeBigUInt64LE(clear, 8);
  attributes.writeBigUInt64LE(BigInt(propagation), 16);
  attributes.writeBigUInt64LE(BigInt(userNamespace), 24);
  return attributes;
}

export interface OverlayLayers {
  /** Uppermost first. */
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
}

/**
 * A writable overlay with its attributes in the namespace `user.` (Documentation/filesystems/overlayfs, "userxattr").
 * @throws SystemError; EROFS when the kernel made it read-only, which it does silently where it may not write to `work`.
 */
export function mountOverlay(target: string, layers: OverlayLayers): void {
  mount('overlay', target, 'overlay', 0, renderOverlayOptions(layers));
  try {
    accessSync(target, constants.W_OK);
  } catch (failure) {
    if (!hasCode(failure, 'EROFS')) return;
    unmount(target);
    throw new SystemError('mount', 30, `overlay ${target}: the kernel allows only reading`);
  }
}

/** An overlay that shows its layers, the uppermost first, and cannot be written. @throws SystemError */
export function mountReadOnlyOverlay(target: string, lower: readonly string[]): void {
  mount('overlay', target, 'overlay', MS.rdonly, `lowerdir=${lower.map(escapeListed).join(':')},userxattr`);
}

export function renderOverlayOptions(layers: OverlayLayers): string {
  const plain = (path: string): string => path.replaceAll(/[\\,]/g, '\\$&');
  return [
    `lowerdir=${layers.lower.map(escapeListed).join(':')}`,
    `upperdir=${plain(layers.upper)}`,
    `workdir=${plain(layers.work)}`,
    'userxattr',
  ].join(',');
}

const escapeListed = (path: string): string => path.replaceAll(/[\\,:]/g, '\\$&');

/** mount(2). @throws SystemError */
export function mount(
  source: string,
  target: string,
  fstype: string | null,
  flags = 0,
  data: string | null = null,
): void {
  checked('mount', libc().mount(source, target, fstype, flags, data), `${fstype ?? source} on ${target}`);
}

/** Of umount2(2), where there is no mount to take away. */
const NOT_MOUNTED = ['EINVAL', 'ENOENT', 'ENOTDIR'] as const;

/** Afterwards nothing is mounted at `target`; what is busy is detached and goes when its last user does. */
export function unmount(target: string): void {
  for (let layer = 0; layer < LAYERS; layer += 1) {
    if (!unmountLayer(target)) return;
  }
  throw new MullionError('in_use', `${target} is mounted again and again.`);
}

/**
 * As `unmount`, on another thread: the kernel waits for all processors when a mount goes, milliseconds at times. Who is in
 * another mount namespace for a moment is not followed.
 */
export async function unmountElsewhere(target: string): Promise<void> {
  for (let layer = 0; layer < LAYERS; layer += 1) {
    try {
      await umountElsewhere(target, UMOUNT_NOFOLLOW | MNT_DETACH);
    } catch (failure) {
      if (hasCode(failure, ...NOT_MOUNTED)) return;
      throw failure;
    }
  }
  throw new MullionError('in_use', `${target} is mounted again and again.`);
}

/** Takes the uppermost mount at `target` away with all below it, in use or not. @throws SystemError */
export function detachMount(target: string): void {
  checked('umount2', libc().umount2(target, UMOUNT_NOFOLLOW | MNT_DETACH), target);
}

/** False when nothing was mounted there. */
function unmountLayer(target: string): boolean {
  try {
    checked('umount2', libc().umount2(target, UMOUNT_NOFOLLOW), target);
  } catch (failure) {
    if (hasCode(failure, ...NOT_MOUNTED)) return false;
    if (!hasCode(failure, 'EBUSY')) throw failure;
    checked('umount2', libc().umount2(target, UMOUNT_NOFOLLOW | MNT_DETACH), target);
  }
  return true;
}

/** What is mounted at `prefix` and below, in the order of mounting. */
export const mountsUnder = (prefix: string): MountEntry[] =>
  parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).filter(
    ({ target }) => target === prefix || target.startsWith(prefix === '/' ? '/' : `${prefix}/`),
  );

/** proc(5), /proc/pid/mountinfo. */
export function parseMountInfo(text: string): MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ', 2);
      const target = before.split(' ')[4] ?? '';
      const [fstype = '', source = '', superOptions = ''] = after.split(' ');
      return {
        target: decodeOctal(target),
        source: decodeOctal(source),
        fstype,
        options: [...(before.split(' ')[5] ?? '').split(','), ...superOptions.split(',').map(decodeOctal)],
      };
    });
}

/** The kernel writes space, tab, newline and backslash as three octal digits; bytes beyond ASCII stay as they are. */
const decodeOctal = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
