import type { ImportLimits } from './limits.ts';
import { refused, shown } from './refused.ts';
import type { TarEntry } from './tar-filter.ts';

/** Ids of a VPS are below this; others would be somebody else's on the host. */
const ID_LIMIT = 65_536;
const NAME_LIMIT = 255;
const PATH_LIMIT = 4095;
/** Attributes by which overlayfs would let one layer speak for another, and those of the host's own security modules. */
const FORBIDDEN_ATTRIBUTE = /^(?:user\.overlay\.|trusted\.|security\.(?!capability$))/;

/** A layer's mark of what is gone (OCI image specification 1.0, layer.md, "Whiteouts"). */
const WHITEOUT = '.wh.';

export interface TarCounts {
  bytes: number;
  files: number;
}

/** A member's name as names from the root; undefined for the root itself. @throws MullionError `image_refused` */
export function partsOf(name: Buffer, what = 'a path'): readonly string[] {
  const text = name.toString('latin1');
  const label = shown(name.toString('utf8'));
  // C0, DEL and, as UTF-8, C1: what terminals take for commands.
  if (/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]/.test(text)) {
    throw refused('name', `The archive has ${what} with control characters: ${label}.`);
  }
  if (text.startsWith('/'))
    throw refused('path', `The archive has ${what} from the root of the host: ${label}.`);
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refused('path', `The archive has ${what} that leads outside: ${label}.`);
  if (text.length > PATH_LIMIT || parts.some((part) => part.length > NAME_LIMIT)) {
    throw refused('name', `The archive has ${what} that is too long: ${label}.`);
  }
  return parts;
}

/** What a whiteout names lies beside it: `.wh...` would take away the folder above. @throws MullionError `image_refused` */
function checkWhiteout(parts: readonly string[], label: string): void {
  const name = parts.at(-1) ?? '';
  if (!name.startsWith(WHITEOUT)) return;
  if (['', '.', '..'].includes(name.slice(WHITEOUT.length)))
    throw refused('path', `${label} takes away what is not its layer's.`);
}

export interface TarPolicyOptions {
  /** What it links to may lie in a layer before. */
  readonly layered?: boolean | undefined;
  /** Go over all layers. */
  readonly counts?: TarCounts | undefined;
  /** Takes each device node, which the archive then may have anywhere; the unpacker itself can make none. */
  readonly onDevice?: ((entry: TarEntry, path: string) => void) | undefined;
}

/**
 * Judges the members of an archive that is to become a root file system. Links may point anywhere, as they do in every
 * system, but no member is written through one.
 */
export class TarPolicy {
  readonly #limits: ImportLimits;
  readonly #layered: boolean;
  readonly #onDevice: TarPolicyOptions['onDevice'];
  readonly #counts: TarCounts;
  /** What each path is so far. */
  readonly #seen = new Map<string, TarEntry['kind']>();
  /** Device nodes below /dev, which every technique makes anew. */
  droppedDevices = 0;

  constructor(
    limits: ImportLimits,
    { layered = false, counts = { bytes: 0, files: 0 }, onDevice }: TarPolicyOptions = {},
  ) {
    this.#limits = limits;
    this.#layered = layered;
    this.#onDevice = onDevice;
    this.#counts = counts;
  }

  get bytes(): number {
    return this.#counts.bytes;
  }
  get files(): number {
    return this.#counts.files;
  }

  readonly judge = (entry: TarEntry): 'keep' | 'drop' => {
    this.#count(entry);
    const parts = partsOf(entry.name);
    const label = shown(entry.name.toString('utf8'));
    if (parts.length === 0) {
      if (entry.kind === 'directory') return 'keep';
      throw refused('path', 'The archive puts something in the place of its own root.');
    }
    this.#checkWay(parts, label);
    if (this.#layered) checkWhiteout(parts, label);
    if (entry.uid >= ID_LIMIT || entry.gid >= ID_LIMIT || entry.uid < 0 || entry.gid < 0) {
      const special = (entry.mode & 0o6000) !== 0 ? ' with a set-user-ID or set-group-ID bit' : '';
      throw refused(
        'owner',
        `${label}${special} belongs to ${entry.uid}:${entry.gid}; ids end at ${ID_LIMIT - 1}.`,
      );
    }
    const attribute = entry.attributes.find((name) => FORBIDDEN_ATTRIBUTE.test(name));
    if (attribute !== undefined) {
      throw refused('attribute', `${label} has the attribute ${shown(attribute)}, which no image may bring.`);
    }
    const path = parts.join('/');
    if (this.#kind(entry, parts, label) === 'drop') return 'drop';
    this.#seen.set(path, entry.kind);
    return 'keep';
  };

  #count(entry: TarEntry): void {
    this.#counts.files += 1;
    this.#counts.bytes += entry.size;
    if (this.files > this.#limits.files) {
      throw refused('too_many_files', `The archive has more than ${this.#limits.files} files.`);
    }
    if (this.bytes > this.#limits.bytes) {
      throw refused('too_large', `The archive comes to more than ${this.#limits.bytes} bytes.`);
    }
  }

  #checkWay(parts: readonly string[], label: string): void {
    for (let length = 1; length < parts.length; length++) {
      const kind = this.#seen.get(parts.slice(0, length).join('/'));
      if (kind === 'symlink')
        throw refused('link', `${label} would be written through a link of the archive.`);
      if (kind !== undefined && kind !== 'directory') {
        throw refused('path', `${label} lies below what is no folder.`);
      }
    }
  }

  #kind(entry: TarEntry, parts: readonly string[], label: string): 'keep' | 'drop' {
    switch (entry.kind) {
      case 'file':
      case 'directory':
      case 'fifo':
        return 'keep';
      case 'symlink':
        if (/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]/.test(entry.linkName.toString('latin1'))) {
          throw refused('name', `The link ${label} points to a name with control characters.`);
        }
        return 'keep';
      case 'hardlink': {
        const target = partsOf(entry.linkName, 'a hard link');
        this.#checkWay(target, label);
        const kind = this.#seen.get(target.join('/'));
        if (kind === 'file' || kind === 'hardlink' || kind === 'symlink' || kind === 'fifo') return 'keep';
        if (kind === undefined && this.#layered) return 'keep';
        const to = shown(entry.linkName.toString('utf8'));
        throw refused(
          'link',
          `The hard link ${label} leads to ${to}, which the archive has not brought before.`,
        );
      }
      case 'device':
        if (this.#onDevice !== undefined) {
          this.#onDevice(entry, parts.join('/'));
          return 'drop';
        }
        if (parts[0] === 'dev') {
          this.droppedDevices += 1;
          return 'drop';
        }
        throw refused('device', `The archive has a device node outside of /dev: ${label}.`);
      case 'other':
        throw refused('damaged', `${label} is of a kind that no root file system has.`);
    }
  }
}
