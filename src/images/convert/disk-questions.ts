import { dirname } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import type { Jails } from '../../host/jail/jails.ts';
import { PARTS } from '../artifact.ts';
import { lastLine } from '../import/decompress.ts';
import { FILE_OWNER } from '../import/unpack-tar.ts';

const TIMEOUT_MS = 600_000;
const OUTPUT_LIMIT = 256 * 1024 ** 2;
const FUSE = 'fuse2fs -o ro,fakeroot "/in/$1" /mnt >&2 || exit 1; cd /mnt || exit 1';

/** Runs a shell line in the file system of a disk, which a program without rights reads; what it printed. */
export async function lookInDisk(
  jails: Jails,
  disk: string,
  line: string,
  signal: AbortSignal,
): Promise<string> {
  const jail = await jails.start(
    {
      argv: ['sh', '-c', `${FUSE}; ${line}; cd /; umount /mnt`, 'look', PARTS.disk],
      mounts: [{ source: dirname(disk), target: '/in', access: 'read' }],
      capabilities: FILE_OWNER,
      fuse: true,
      timeoutMs: TIMEOUT_MS,
    },
    signal,
  );
  jail.stdin.end();
  return collect(jail.stdout, jail.ended);
}

/** Answers of debugfs(8) to one command a line, each behind the command itself. */
export async function askDisk(
  jails: Jails,
  disk: string,
  commands: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const jail = await jails.start(
    {
      argv: ['sh', '-c', 'debugfs -f - "/in/$1" 2>/dev/null', 'ask', PARTS.disk],
      mounts: [{ source: dirname(disk), target: '/in', access: 'read' }],
      timeoutMs: TIMEOUT_MS,
    },
    signal,
  );
  jail.stdin.end(commands.map((command) => `${command}\n`).join(''));
  return collect(jail.stdout, jail.ended);
}

/** What debugfs(8) tells of each file by `stat`, for the files whose names it can be asked about. */
export async function statFiles(jails: Jails, disk: string, signal: AbortSignal): Promise<string> {
  const paths = (await lookInDisk(jails, disk, "find . -xdev -printf '%P\\n'", signal))
    .split('\n')
    .filter((path) => path !== '' && isPlain(path) && !path.startsWith('lost+found'));
  const questions = paths.map((path) => `stat "/${path}"`);
  return askDisk(jails, disk, questions, signal);
}

/** The file that a line of such answers begins to tell of. */
export const askedFile = (line: string): string | undefined => /^debugfs: stat "\/(.+)"$/.exec(line)?.[1];

/** Runs a shell line in a root, with something to read. @throws command_failed */
export async function changeRoot(
  jails: Jails,
  upper: string,
  line: string,
  input: string,
  signal: AbortSignal,
): Promise<void> {
  const jail = await jails.start(
    {
      argv: ['sh', '-c', `cd /out && ${line}`],
      mounts: [{ source: upper, target: '/out', access: 'write' }],
      capabilities: FILE_OWNER,
      timeoutMs: TIMEOUT_MS,
    },
    signal,
  );
  jail.stdout.resume();
  jail.stdin.end(input);
  const { code, stderr } = await jail.ended;
  if (code === 0) return;
  throw new MullionError(
    'command_failed',
    `The files cannot be given all that they had: ${lastLine(stderr)}`,
  );
}

async function collect(stream: NodeJS.ReadableStream, ended: Promise<unknown>): Promise<string> {
  const parts: string[] = [];
  let size = 0;
  stream.setEncoding('utf8');
  for await (const part of stream) {
    size += part.length;
    if (size > OUTPUT_LIMIT) throw new MullionError('command_failed', 'The disk holds too many files.');
    parts.push(String(part));
  }
  await ended;
  return parts.join('');
}

/** A path as an argument of debugfs(8), and as a line of its own; what cannot be one is left as it came. */
export const isPlain = (path: string): boolean => !/["\\\n\r]/.test(path);
