import { once } from 'node:events';
import { posix } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import type { FileEntry } from '../../contract/resources.ts';
import type { ExecSession } from '../driver.ts';
import { parseListing } from './listing.ts';

/** Starts a command in the guest as root, without a terminal. */
export type Execute = (argv: readonly [string, ...string[]]) => Promise<ExecSession>;

const MESSAGE_LIMIT = 2_000;
/** How long a push that failed waits for the guest to end its part. */
const CLEANUP_MS = 10_000;
/** Exit codes of the scripts below. */
const MISSING = 44;
const UNFIT = 45;

/** Prints one line `ok` once the file is open, then its content. */
const PULL = `[ -e "$1" ] || exit ${MISSING}
[ -d "$1" ] && { echo 'it is a directory' >&2; exit ${UNFIT}; }
exec 3<"$1" || exit 1
echo ok
exec cat <&3`;

/** Writes a new file beside the target and prints its name. */
const STAGE = `[ -d "$1" ] && { echo 'it is a directory' >&2; exit ${UNFIT}; }
[ -d "\${1%/*}/" ] || exit ${MISSING}
umask 077
f=$(mktemp "\${1%/*}/.mullion-XXXXXXXX") || exit 1
cat >"$f" || { rm -f "$f"; exit 1; }
printf '%s' "$f"`;

const COMMIT = 'chmod "$3" "$1" && mv -fT "$1" "$2" || { rm -f "$1"; exit 1; }';

const LIST = `[ -e "$1" ] || [ -L "$1" ] || exit ${MISSING}
d=0; [ -d "$1" ] && d=1
exec find -H "$1" -mindepth "$d" -maxdepth "$d" -printf '%f\\0%y\\0%s\\0%m\\0%U\\0%G\\0%T@\\0'`;

const script = (text: string, ...args: readonly string[]): readonly [string, ...string[]] => [
  '/bin/sh',
  '-c',
  text,
  'mullion',
  ...args,
];

/** The content of a file of the guest; the stream fails when the guest stops half-way. @throws MullionError `not_found` */
export async function pullFile(execute: Execute, path: string): Promise<Readable> {
  checkPath(path);
  const session = await execute(script(PULL, path));
  session.stdin.end();
  const complaint = collect(session.stderr, MESSAGE_LIMIT);
  const content = new PassThrough();
  const first = await firstChunk(session.stdout);
  if (!first.toString('latin1').startsWith('ok\n')) {
    session.stdout.resume();
    throw failure(path, await session.exit, await complaint);
  }
  content.write(first.subarray(3));
  session.stdout.pipe(content, { end: false });
  content.on('close', () => session.close());
  session.exit.then(
    async (code) => {
      if (code === 0) content.end();
      else content.destroy(failure(path, code, await complaint));
    },
    (cause: unknown) => content.destroy(cause instanceof Error ? cause : new Error(String(cause))),
  );
  return content;
}

/**
 * Writes a file of the guest so that nobody ever sees half of it. When `content` fails, the target is untouched.
 * @param mode permission bits
 */
export async function pushFile(
  execute: Execute,
  path: string,
  content: Readable,
  mode: number,
): Promise<void> {
  checkPath(path);
  const session = await execute(script(STAGE, path));
  const complaint = collect(session.stderr, MESSAGE_LIMIT);
  const staged = collect(session.stdout, MESSAGE_LIMIT);
  try {
    await pipeline(content, session.stdin);
  } catch (cause) {
    const code = await Promise.race([session.exit.catch(() => -1), sleep(CLEANUP_MS, -1, { ref: false })]);
    if (code === 0) await finish(execute, script('rm -f -- "$1"', await staged), path);
    session.close();
    throw code > 0 ? failure(path, code, await complaint) : cause;
  }
  const code = await session.exit;
  if (code !== 0) throw failure(path, code, await complaint);
  await finish(execute, script(COMMIT, await staged, path, mode.toString(8)), path);
}

/** What a directory of the guest holds, or the one file. @throws MullionError `not_found` */
export async function listFiles(execute: Execute, path: string): Promise<FileEntry[]> {
  checkPath(path);
  const session = await execute(script(LIST, path));
  session.stdin.end();
  const complaint = collect(session.stderr, MESSAGE_LIMIT);
  const listing = collect(session.stdout, 16 * 1024 * 1024);
  const code = await session.exit;
  if (code !== 0) throw failure(path, code, await complaint);
  return parseListing(await listing);
}

async function finish(execute: Execute, argv: readonly [string, ...string[]], path: string): Promise<void> {
  const session = await execute(argv);
  session.stdin.end();
  session.stdout.resume();
  const complaint = collect(session.stderr, MESSAGE_LIMIT);
  const code = await session.exit;
  if (code !== 0) throw failure(path, code, await complaint);
}

function checkPath(path: string): void {
  if (posix.isAbsolute(path) && !path.includes('\0') && path.length <= 4096) return;
  throw new MullionError('invalid_request', `"${path.slice(0, 100)}" is not an absolute path.`, {
    remedy: 'Write the path from the root, for example /etc/hostname',
  });
}

function failure(path: string, code: number, complaint: string): MullionError {
  if (code === MISSING)
    return new MullionError('not_found', `There is no ${path} in the VPS, or no folder for it.`);
  const why = complaint.trim().split('\n').at(-1) || `exit code ${code}`;
  return new MullionError(
    code === UNFIT ? 'invalid_request' : 'command_failed',
    `The file ${path} of the VPS cannot be used: ${why}`,
    { details: { exitCode: code } },
  );
}

/** At most `limit` bytes of a stream; the rest is read and thrown away. Never fails. */
async function collect(stream: Readable | undefined, limit: number): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of stream ?? []) {
      if (Buffer.isBuffer(piece) && size < limit) pieces.push(piece.subarray(0, limit - size));
      size += piece.length;
    }
  } catch {
    // What came until then is the answer.
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** The first three bytes or more; fewer when the stream ends before. */
async function firstChunk(stream: Readable): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  while (size < 3) {
    const piece: unknown = stream.read();
    if (Buffer.isBuffer(piece)) {
      pieces.push(piece);
      size += piece.length;
    } else if (stream.readableEnded || stream.destroyed) break;
    else await Promise.race([once(stream, 'readable'), once(stream, 'end'), once(stream, 'close')]);
  }
  return Buffer.concat(pieces);
}
