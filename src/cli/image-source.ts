import { createReadStream, lstatSync, readdirSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { MullionError } from '../contract/error-table.ts';
import type { ImportImageRequest } from '../contract/image-requests.ts';
import { fileError } from './files.ts';

/** A file that this side reads and sends. */
export interface LocalSource {
  readonly kind: 'stream';
  readonly origin: string;
  readonly format: ImportImageRequest['format'];
  readonly size: number | undefined;
  readonly open: () => Promise<AsyncIterable<Uint8Array>>;
}
export type ImageSource = LocalSource | { readonly kind: 'registry'; readonly reference: string };

/** What the word after `image import` means. @throws MullionError `invalid_request` */
export function readSource(source: string, format: ImportImageRequest['format'] | undefined): ImageSource {
  const [, scheme = '', rest = ''] = /^([a-z][a-z-]*):(.*)$/s.exec(source) ?? [];
  switch (scheme) {
    case 'docker':
      return { kind: 'registry', reference: rest.replace(/^\/\//, '') };
    case 'oci':
      return layoutSource(rest, source);
    case 'oci-archive':
    case 'docker-archive':
      return fileSource(rest, source, scheme);
    case 'http':
    case 'https':
      return {
        kind: 'stream',
        origin: source,
        format: format ?? 'auto',
        size: undefined,
        open: () => fetched(source),
      };
    default:
      return fileSource(source, source === '-' ? 'standard input' : basename(source), format ?? 'auto');
  }
}

/** A name for the image when none is given: that of the file or repository, without what names its format. */
export function nameOfSource(source: string): string {
  const [repository = '', tag = ''] = source
    .replace(/^[a-z-]+:(?:\/\/)?/, '')
    .replace(/@sha256:.*$/, '')
    .replace(/[?#].*$/, '')
    .split(/:(?=[^/]*$)/);
  const base = basename(repository)
    .toLowerCase()
    .replace(/\.(?:tar|tgz|txz|gz|xz|zst|tar\.[a-z]+|img|raw|qcow2|vmdk|vdi|iso)+$/, '')
    .replace(/(?:\.(?:tar|img|raw))+$/, '');
  const clean = (text: string): string =>
    text.replace(/[^a-z0-9._-]+/g, '-').replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return (
    [clean(base), clean(tag.toLowerCase())].filter((part) => part !== '' && part !== 'latest').join('/') ||
    'imported'
  );
}

function fileSource(path: string, origin: string, format: ImportImageRequest['format']): LocalSource {
  if (path === '-') {
    return { kind: 'stream', origin, format, size: undefined, open: async () => process.stdin };
  }
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    const size = stat.isFile() ? stat.size : undefined;
    return {
      kind: 'stream',
      origin,
      format,
      size,
      open: async () => createReadStream(path, { highWaterMark: 262_144 }),
    };
  } catch (cause) {
    throw fileError(path, 'read', cause);
  }
}

async function fetched(url: string): Promise<AsyncIterable<Uint8Array>> {
  const answer = await fetch(url).catch((cause: unknown) => {
    throw new MullionError('invalid_request', `${url} cannot be fetched.`, { cause });
  });
  if (!answer.ok || answer.body === null) {
    throw new MullionError('invalid_request', `${url} cannot be fetched: it answers ${answer.status}.`);
  }
  return answer.body;
}

const BLOCK = 512;
/** Most that eleven octal digits say. */
const SIZE_LIMIT = 8 ** 11;

/** A layout folder, sent as the archive that it would be (OCI image specification, image-layout.md). */
function layoutSource(folder: string, origin: string): LocalSource {
  const files = [...layoutFiles(folder)];
  const size = files.reduce((sum, file) => sum + BLOCK + Math.ceil(file.size / BLOCK) * BLOCK, 2 * BLOCK);
  return { kind: 'stream', origin, format: 'oci-archive', size, open: async () => packLayout(folder, files) };
}

interface LayoutFile {
  readonly path: string;
  readonly size: number;
}

function* layoutFiles(folder: string): Generator<LayoutFile> {
  const wanted = ['oci-layout', 'index.json'].map((name) => join(folder, name));
  try {
    const blobs = join(folder, 'blobs/sha256');
    for (const path of [...wanted, ...readdirSync(blobs).map((name) => join(blobs, name))]) {
      const stat = lstatSync(path);
      if (stat.isFile() && stat.size < SIZE_LIMIT) yield { path, size: stat.size };
    }
  } catch (cause) {
    throw fileError(folder, 'read as an OCI layout', cause);
  }
}

async function* packLayout(folder: string, files: readonly LayoutFile[]): AsyncGenerator<Uint8Array> {
  for (const { path, size } of files) {
    yield tarHeader(relative(folder, path), size);
    yield* createReadStream(path, { highWaterMark: 262_144 });
    yield Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
  }
  yield Buffer.alloc(2 * BLOCK);
}

/** POSIX.1-1988 ustar. */
function tarHeader(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100, 'utf8');
  for (const [at, value, digits] of [
    [100, 0o644, 7],
    [108, 0, 7],
    [116, 0, 7],
    [124, size, 11],
    [136, 0, 11],
  ] as const) {
    block.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  }
  block.write('        0', 148, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
