import { closeSync, createReadStream, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Jails } from '../../host/jail/jails.ts';
import { detect, HEAD_BYTES } from './detect.ts';
import type { ImportLimits } from './limits.ts';
import { refused } from './refused.ts';
import { requireItsOwnEnd } from './struck.ts';

export type Compression = 'gzip' | 'xz' | 'zstd';

const MEMORY = 768 * 1024 ** 2;
const PROGRAMS: Readonly<Record<Compression, readonly string[]>> = {
  gzip: ['gzip', '--decompress', '--stdout'],
  xz: ['xz', '--decompress', '--stdout', '--memlimit-decompress=512MiB'],
  zstd: ['zstd', '--decompress', '--stdout', '--quiet', '--memory=512MB'],
};

export async function readHead(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(buffer, 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** How a layer is packed. @throws MullionError `image_refused` when it is neither that nor an archive */
export async function layerHead(path: string): Promise<Compression | 'tar'> {
  const head = await readHead(path);
  const kind = head.every((byte) => byte === 0) ? 'tar' : detect(head);
  if (kind === 'gzip' || kind === 'zstd' || kind === 'tar') return kind;
  throw refused('damaged', 'A layer of the image is no archive.');
}

/**
 * Opens the file when its first bytes are asked for: nobody would hear of the failure of a stream that is never read,
 * as when its file goes with an import that is given up, and that ends the process.
 */
export async function* plainBytes(path: string): AsyncGenerator<Buffer> {
  yield* createReadStream(path, { highWaterMark: 256 * 1024 });
}

/**
 * What is packed in a file, unpacked in a jail as it is read. `sizeIn` is the file's own size. Ending the iteration
 * early ends the jail. @throws MullionError `image_refused`
 */
export async function* decompressed(
  jails: Jails,
  path: string,
  compression: Compression,
  {
    limits,
    sizeIn,
    ratio,
  }: { readonly limits: ImportLimits; readonly sizeIn: number; readonly ratio: boolean },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const input = openSync(path, 'r');
  let jail: Awaited<ReturnType<Jails['start']>>;
  try {
    const spec = { argv: PROGRAMS[compression], mounts: [], memory: MEMORY, timeoutMs: limits.timeoutMs };
    jail = await jails.start(spec, signal, input);
  } finally {
    closeSync(input);
  }
  let out = 0;
  let finished = false;
  try {
    for await (const piece of jail.stdout) {
      const bytes = Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece));
      out += bytes.length;
      if (ratio && out > limits.ratioFrom && out > sizeIn * limits.ratio) {
        throw refused('bomb', `The file unpacks to more than ${limits.ratio} times its size: it is a bomb.`);
      }
      yield bytes;
    }
    finished = true;
  } finally {
    if (!finished) {
      jail.kill();
      await jail.ended.catch(() => undefined);
    }
  }
  const result = await jail.ended;
  if (result.code === 0) return;
  requireItsOwnEnd(compression, result);
  const { stderr } = result;
  if (/unexpected end|premature|Unexpected end/i.test(stderr)) {
    throw refused('truncated', `The file breaks off before the end of its ${compression} data.`);
  }
  throw refused('damaged', `The file's ${compression} data cannot be unpacked: ${lastLine(stderr)}`);
}

export const lastLine = (text: string): string =>
  (text.trim().split('\n').at(-1) ?? '').replace(/[^\x20-\x7e]/g, '?').slice(0, 300) || 'no message';
