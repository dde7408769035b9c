import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import type { AgentChannel } from './agent-channel.ts';
import { encodeRequest } from './framing.ts';
import { longCommand } from './long-command.ts';

/** The guest agent's commands that are used, with what a well-behaved agent answers (QEMU, qga/qapi-schema.json). */

const Base64Schema = z.string().transform((text) => Buffer.from(text, 'base64'));
const EmptySchema = z.unknown();
const PidSchema = z.object({ pid: z.number().int().positive() });
const ExecStatusSchema = z.object({
  exited: z.boolean(),
  exitcode: z.number().int().min(0).max(255).optional(),
  signal: z.number().int().min(1).max(127).optional(),
  'out-data': Base64Schema.optional(),
  'err-data': Base64Schema.optional(),
});
export type ExecStatus = z.infer<typeof ExecStatusSchema>;

export async function ping(channel: AgentChannel, timeoutMs?: number): Promise<void> {
  await channel.call('guest-ping', undefined, EmptySchema, timeoutMs);
}

/** Starts a program of the guest, with an empty standard input or a small one; its id in the guest. */
export async function execStart(
  channel: AgentChannel,
  argv: readonly [string, ...string[]],
  options: {
    readonly capture: boolean;
    readonly timeoutMs?: number | undefined;
    readonly input?: Buffer | undefined;
  },
): Promise<number> {
  const input = options.input === undefined ? {} : { 'input-data': options.input.toString('base64') };
  const request = (words: readonly [string, ...string[]]): Readonly<Record<string, unknown>> => {
    const [path, ...arg] = words;
    return { path, arg, 'capture-output': options.capture, ...input };
  };
  const ask = async (args: Readonly<Record<string, unknown>>): Promise<number> =>
    (await channel.call('guest-exec', args, PidSchema, options.timeoutMs)).pid;
  const plain = request(argv);
  if (Buffer.byteLength(encodeRequest('guest-exec', plain)) <= channel.longestRequest) return ask(plain);
  const file = `/run/mullion-${randomBytes(8).toString('hex')}`;
  const long = longCommand(argv, file, channel.longestRequest);
  for (const piece of long.before) {
    const { code } = await runInGuest(channel, piece, options.timeoutMs);
    if (code !== 0)
      throw new MullionError(
        'guest_unresponsive',
        `The guest did not take a long command: exit code ${code}.`,
      );
  }
  return ask(request(long.argv));
}

export function execStatus(channel: AgentChannel, pid: number): Promise<ExecStatus> {
  return channel.call('guest-exec-status', { pid }, ExecStatusSchema);
}

/**
 * Whether a program that was started ends within two seconds; one that the agent does not know any more has. The agent
 * keeps how it ended until it is asked for it. @throws MullionError `guest_unresponsive`
 */
export async function hasEnded(channel: AgentChannel, pid: number): Promise<boolean> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    try {
      if ((await execStatus(channel, pid)).exited) return true;
    } catch (failure) {
      if (failure instanceof MullionError && failure.code === 'command_failed') return true;
      throw failure;
    }
    await setTimeout(100);
  }
  return false;
}

/** Has the agent forget how a program ended. */
export async function forgetCommand(channel: AgentChannel, pid: number): Promise<void> {
  await hasEnded(channel, pid).catch(() => undefined);
}

/** Answers nothing when it succeeds: the guest's end is the answer. */
export function shutdown(channel: AgentChannel, timeoutMs: number): Promise<void> {
  return channel.send('guest-shutdown', { mode: 'powerdown' }, timeoutMs);
}

/**
 * Thaws all file systems of a disk once the seconds are over, as nobody else may live to do it. It is started before they
 * are frozen, and reads only what needs no write.
 */
const THAW_LATER = `sleep "$1"
while read -r _ folder type _; do
  case $type in ext*|xfs|btrfs|f2fs) fsfreeze --unfreeze "$folder" ;; esac
done </proc/mounts`;

/** Brings the guest's file systems to rest; they go on by themselves after `limitMs`. Answers the guard's id. */
export async function freeze(channel: AgentChannel, limitMs: number): Promise<number> {
  const seconds = String(Math.ceil(limitMs / 1000));
  const guard = await execStart(channel, ['/bin/sh', '-c', THAW_LATER, 'sh', seconds], { capture: false });
  await channel.call('guest-fsfreeze-freeze', undefined, z.number().int().nonnegative(), limitMs);
  return guard;
}

/** How many file systems were at rest until now. */
export function thaw(channel: AgentChannel): Promise<number> {
  return channel.call('guest-fsfreeze-thaw', undefined, z.number().int().nonnegative());
}

/** Reads a small file of the guest, such as one of /proc; at most `limit` bytes of it. */
export async function readSmallFile(channel: AgentChannel, path: string, limit = 65_536): Promise<Buffer> {
  const handle = await channel.call('guest-file-open', { path, mode: 'r' }, z.number().int());
  try {
    const ReadSchema = z.object({ count: z.number().int(), 'buf-b64': Base64Schema });
    return (await channel.call('guest-file-read', { handle, count: limit }, ReadSchema))['buf-b64'];
  } finally {
    await channel.call('guest-file-close', { handle }, EmptySchema).catch(() => undefined);
  }
}

/** Bytes in one request. */
const PIECE = 48 * 1024;

/** Writes a file of the guest, in place of one that is there. */
export async function writeSmallFile(channel: AgentChannel, path: string, content: Buffer): Promise<void> {
  const handle = await channel.call('guest-file-open', { path, mode: 'w' }, z.number().int());
  try {
    for (let at = 0; at < content.length; ) {
      const piece = content.subarray(at, at + PIECE).toString('base64');
      const WrittenSchema = z.object({ count: z.number().int().positive() });
      at += (await channel.call('guest-file-write', { handle, 'buf-b64': piece }, WrittenSchema)).count;
    }
  } finally {
    await channel.call('guest-file-close', { handle }, EmptySchema);
  }
}

export interface Captured {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/**
 * Runs a short command of the guest to its end. For output that is small: the agent holds all of it.
 * @throws MullionError `guest_unresponsive` after `timeoutMs`.
 */
export async function runInGuest(
  channel: AgentChannel,
  argv: readonly [string, ...string[]],
  timeoutMs = 15_000,
  input?: Buffer,
): Promise<Captured> {
  const deadline = Date.now() + timeoutMs;
  const pid = await execStart(channel, argv, { capture: true, timeoutMs, input });
  for (let pauseMs = 10; ; pauseMs = Math.min(200, pauseMs * 1.5)) {
    const status = await execStatus(channel, pid);
    if (status.exited) {
      return {
        code: status.exitcode ?? 128 + (status.signal ?? 0),
        stdout: status['out-data'] ?? Buffer.alloc(0),
        stderr: status['err-data'] ?? Buffer.alloc(0),
      };
    }
    if (Date.now() > deadline) {
      throw new MullionError('guest_unresponsive', `The guest did not finish ${argv[0]} in time.`);
    }
    await setTimeout(pauseMs);
  }
}
