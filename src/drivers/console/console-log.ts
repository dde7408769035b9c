import { chown, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** A log grows to this many bytes; then its older part is dropped. */
export const LOG_LIMIT = 4 * 1024 * 1024;
const POLL_MS = 200;
/** A guest's serial line brings some hundred kilobytes a second at most. */
const BOUND_MS = 1_000;
const PIECE = 64 * 1024;

/** An empty log that `uid` may write, beside the one of the run before. The file stays the same while QEMU runs. */
export async function startLog(path: string, uid: number): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  const present = await sizeOf(path);
  if (present > LOG_LIMIT / 2) await rename(path, `${path}.1`);
  const file = await open(path, 'a', 0o600);
  await file.close();
  await chown(path, uid, uid);
}

/** Cuts a log that has become too large. QEMU appends, so it goes on at the new end. */
export async function boundLog(path: string): Promise<void> {
  if ((await sizeOf(path)) <= LOG_LIMIT) return;
  const tail = await readTail(path, LOG_LIMIT / 4);
  const file = await open(path, 'r+');
  try {
    await file.truncate(0);
    await file.write(tail, 0, tail.length, 0);
  } finally {
    await file.close();
  }
}

/** Bounds logs again and again, until the function that it answers is called; at once to begin with. */
export function keepBounded(paths: readonly string[]): () => void {
  let busy = false;
  const bound = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    await Promise.allSettled(paths.map(boundLog));
    busy = false;
  };
  void bound();
  const timer = setInterval(() => void bound(), BOUND_MS);
  timer.unref();
  return () => clearInterval(timer);
}

export interface FollowOptions {
  readonly follow: boolean;
  readonly lines?: number | undefined;
  readonly signal: AbortSignal;
  /** False once nothing more will be written. */
  readonly isLive: () => Promise<boolean>;
}

/** What is in the log, from the last `lines` lines on, and what comes, until nothing more will. Never fails for want of a log. */
export function readLog(path: string, options: FollowOptions): Readable {
  const output = new PassThrough();
  const work = follow(path, output, options);
  work.then(
    () => output.end(),
    (failure: unknown) => output.destroy(failure instanceof Error ? failure : new Error(String(failure))),
  );
  return output;
}

async function follow(path: string, output: PassThrough, options: FollowOptions): Promise<void> {
  let position = await startOfLines(path, options.lines);
  for (;;) {
    const live = options.follow && !options.signal.aborted && (await options.isLive());
    const size = await sizeOf(path);
    if (size < position) position = 0;
    while (position < size && !output.destroyed) {
      const piece = await readAt(path, position, Math.min(PIECE, size - position));
      if (piece.length === 0) break;
      position += piece.length;
      if (!output.write(piece)) await drained(output);
    }
    if (!live || output.destroyed || options.signal.aborted) return;
    await sleep(POLL_MS, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

const drained = (output: PassThrough): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      output.off('drain', done);
      output.off('close', done);
      resolve();
    };
    output.on('drain', done);
    output.on('close', done);
  });

async function startOfLines(path: string, lines: number | undefined): Promise<number> {
  if (lines === undefined) return 0;
  const size = await sizeOf(path);
  const tail = await readAt(path, 0, Math.min(size, 2 * LOG_LIMIT));
  let position = tail.length;
  for (let left = tail.at(-1) === 0x0a ? lines + 1 : lines; left > 0; left -= 1) {
    position = position === 0 ? -1 : tail.lastIndexOf(0x0a, position - 1);
    if (position === -1) return 0;
  }
  return position + 1;
}

/** The last bytes of a log; none of one that is not there. */
export const readTail = async (path: string, count: number): Promise<Buffer> =>
  readAt(path, Math.max(0, (await sizeOf(path)) - count), count);

async function readAt(path: string, position: number, count: number): Promise<Buffer> {
  if (count <= 0) return Buffer.alloc(0);
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, position);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

/** Forgets a machine's logs. */
export const removeLogs = (path: string): Promise<void> => rm(path, { force: true });
