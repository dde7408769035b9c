import { MullionError } from '../contract/errors.ts';

export interface LayerNode {
  readonly type: 'file' | 'directory' | 'symlink' | 'whiteout' | 'other';
  readonly target: string;
  readonly opaque: boolean;
}

/** What lies at a path (`etc/passwd`) of one layer; links are not followed. */
export type Look = (path: string) => Promise<LayerNode | undefined>;

export interface LayeredFile {
  readonly layer: 'upper' | 'lower';
  readonly path: string;
}

/** As the kernel has it (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * Finds a regular file in an upper layer over a lower one, as overlayfs shows it: whiteouts and opaque folders hide, links
 * are followed and never lead out. @throws MullionError `not_found`, `invalid_request`
 */
export async function findLayered(path: string, upper: Look, lower: Look): Promise<LayeredFile> {
  let left = partsOf(path);
  let done: string[] = [];
  let links = 0;
  let lowerHidden = false;
  while (true) {
    const part = left.shift();
    if (part === undefined) throw unfit(path, 'it is a folder');
    if (part === '..') {
      // The way there is gone over again, for what hides the lower layer.
      left = [...done.slice(0, -1), ...left];
      done = [];
      lowerHidden = false;
      continue;
    }
    const here = [...done, part].join('/');
    const over = await upper(here);
    if (over?.type === 'whiteout') throw missing(path);
    const node = over ?? (lowerHidden ? undefined : await lower(here));
    if (node === undefined || node.type === 'whiteout') throw missing(path);
    if (node.type === 'symlink') {
      links += 1;
      if (links > MOST_LINKS) throw unfit(path, 'its links go in a circle');
      left = [...(node.target.startsWith('/') ? [] : done), ...partsOf(node.target), ...left];
      done = [];
      lowerHidden = false;
      continue;
    }
    if (node.type === 'directory') {
      lowerHidden ||= over?.opaque === true;
      done.push(part);
      continue;
    }
    if (left.length > 0) throw missing(path);
    if (node.type !== 'file') throw unfit(path, 'it is no regular file');
    return { layer: over === undefined ? 'lower' : 'upper', path: here };
  }
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');

const missing = (path: string): MullionError =>
  new MullionError('not_found', `There is no file ${path} in the backup.`, {
    remedy: 'Give an absolute path of the VPS',
    details: { path },
  });

const unfit = (path: string, why: string): MullionError =>
  new MullionError('invalid_request', `${path} cannot be brought back alone: ${why}.`, {
    remedy: 'Name one regular file, or restore the whole backup under a new name',
    details: { path },
  });
