import { MullionError } from '../../contract/errors.ts';
import type { JailResult, Jails } from '../../host/jail/jails.ts';
import { lastLine } from './decompress.ts';
import type { ImportLimits } from './limits.ts';
import { refused } from './refused.ts';
import { requireItsOwnEnd } from './struck.ts';
import { filterTar } from './tar-filter.ts';
import { TarPolicy, type TarPolicyOptions } from './tar-policy.ts';

/** Of the jail's own ids alone: files of every owner and mode, and file capabilities. */
export const FILE_OWNER = ['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'SETFCAP'].map(
  (name) => `CAP_${name}`,
);

const TAR = [
  ...['tar', '--extract', '--file=-', '--directory=/out', '--numeric-owner', '--same-owner'],
  ...['--preserve-permissions', '--delay-directory-restore', '--xattrs', '--xattrs-include=*', '--sparse'],
];

export interface Unpacked {
  readonly bytes: number;
  readonly files: number;
  readonly droppedDevices: number;
}

/**
 * Unpacks an archive into the empty folder `target`: each member is judged first, then written by tar(1) in a jail that
 * holds nothing but the folder. @throws MullionError `image_refused`
 */
export async function unpackTar(
  jails: Jails,
  archive: AsyncIterable<Buffer>,
  target: string,
  limits: ImportLimits,
  onFiles: (done: number) => void,
  signal: AbortSignal,
  options: TarPolicyOptions = {},
): Promise<Unpacked> {
  const policy = new TarPolicy(limits, options);
  const jail = await jails.start(
    {
      argv: TAR,
      mounts: [{ source: target, target: '/out', access: 'write' }],
      capabilities: FILE_OWNER,
      fileSize: limits.bytes,
      timeoutMs: limits.timeoutMs,
    },
    signal,
  );
  jail.stdout.resume();
  let over = false;
  const ended = jail.ended.finally(() => {
    over = true;
  });
  ended.catch(() => undefined);
  let finished = false;
  try {
    for await (const piece of gathered(filterTar(archive, policy.judge))) {
      if (over) break;
      if (!jail.stdin.write(piece)) await drained(jail.stdin, ended);
      onFiles(policy.files);
    }
    jail.stdin.end();
    finished = true;
  } finally {
    if (!finished) {
      jail.kill();
      await ended.catch(() => undefined);
    }
  }
  const result = await ended;
  if (result.code !== 0) throw unpackFailed('tar', result);
  return { bytes: policy.bytes, files: policy.files, droppedDevices: policy.droppedDevices };
}

/** A header is a write(2) of 512 bytes, and an archive has tens of thousands of them. */
const GATHERED = 128 * 1024;

async function* gathered(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let size = 0;
  for await (const piece of pieces) {
    held.push(piece);
    size += piece.length;
    if (size < GATHERED) continue;
    yield Buffer.concat(held);
    held = [];
    size = 0;
  }
  yield Buffer.concat(held);
}

/** A full pool and a program that was ended are the host's to mend, all else the archive's. */
export function unpackFailed(program: string, result: Omit<JailResult, 'stdout'>): Error {
  const { stderr } = result;
  if (/No space left|Disk quota exceeded|no space left|quota exceeded/.test(stderr)) {
    return new MullionError('insufficient_disk', `There is no room for its files: ${lastLine(stderr)}`);
  }
  requireItsOwnEnd(program, result);
  return refused('damaged', `The archive cannot be unpacked: ${program}: ${lastLine(stderr)}`);
}

function drained(stream: NodeJS.WritableStream, ended: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      stream.off('drain', go);
      stream.off('close', go);
      resolve();
    };
    stream.on('drain', go);
    stream.on('close', go);
    ended.then(go, go);
  });
}
