import { once } from 'node:events';
import { posix } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import type { FileEntry } from '../../contract/resources.ts';
import { firstBytes, GatheredBytes } from '../../core/gathered-bytes.ts';
import type { ExecSession } from '../driver.ts';
import { parseListing, tooMany } from './listing.ts';

/** Starts a command in the guest as root, without a terminal. */
export type Execute = (argv: readonly [string, ...string[]]) => Promise<ExecSession>;

const MESSAGE_LIMIT = 2_000;
const LISTING_LIMIT = 16 * 1024 * 1024;
/** How long a guest may take for what it owes: a list, the begin of a file, the end of a push. */
const ANSWER_MS = 90_000;
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
  const first = await answered(session, firstChunk(session.stdout));
  if (!first.toString('latin1').startsWith('ok\n')) {
    session.stdout.resume();
    throw failure(path, await answered(session, session.exit), await complaint);
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
    const lost = session.exit.catch((failure: unknown) => failure);
    const end = await Promise.race([lost, sleep(CLEANUP_MS, cause, { ref: false })]);
    if (end === 0) await finish(execute, script('rm -f -- "$1"', await staged), path);
    session.close();
    if (typeof end !== 'number') throw end;
    throw end === 0 ? cause : failure(path, end, await complaint);
  }
  const code = await answered(session, session.exit);
  if (code !== 0) throw failure(path, code, await complaint);
  await finish(execute, script(COMMIT, await staged, path, mode.toString(8)), path);
}

/** What a directory of the guest holds, or the one file. @throws MullionError `not_found` */
export async function listFiles(execute: Execute, path: string): Promise<FileEntry[]> {
  checkPath(path);
  const session = await execute(script(LIST, path));
  session.stdin.end();
  const complaint = collect(session.stderr, MESSAGE_LIMIT);
  // Output that is cut off belongs to a command that has failed, which its end tells.
  const listed = firstBytes(session.stdout, LISTING_LIMIT).catch(() => Buffer.alloc(0));
  const listing = await answered(session, listed);
  if (listing.length >= LISTING_LIMIT) {
    session.close();
    throw tooMany();
  }
  const code = await answered(session, session.exit);
  if (code !== 0) throw failure(path, code, await complaint);
  return parseListing(listing);
}

async function finish(execute: Execute, argv: readonly [string, ...string[]], path: string): Promise<void> {
  const session = await execute(argv);
  session.stdin.end();
  session.stdout.resume();
  const complaint = collect(session.stderr, MESSAGE_LIMIT);
  const code = await answered(session, session.exit);
  if (code !== 0) throw failure(path, code, await complaint);
}

/** What a guest owes. A command that keeps it back is closed, also when nobody waits for it any more. */
async function answered<T>(session: ExecSession, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = sleep(ANSWER_MS, undefined, { ref: false, signal: timer.signal }).then(() => {
    throw new MullionError('guest_unresponsive', 'The guest did not answer in time.');
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } catch (cause) {
    session.close();
    throw cause;
  } finally {
    timer.abort();
  }
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
  const gathered = new GatheredBytes();
  try {
    for await (const piece of stream ?? []) {
      gathered.append(Buffer.from(piece).subarray(0, limit - gathered.length));
    }
  } catch {
    // What came until then is the answer.
  }
  return gathered.take().toString('utf8');
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
