import type { Readable } from 'node:stream';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import { openPipe } from '../../host/pipe.ts';
import { type Child, commandEnvironment, spawnCommand } from '../../host/run.ts';
import { resticFailure } from './failures.ts';
import type { Invocation } from './render.ts';

const TEXT_LIMIT = 256 * 1024 * 1024;
const ERROR_LIMIT = 256 * 1024;
/** After SIGINT restic removes its lock; then it is killed. */
const GRACE_MS = 10_000;
/** How long a lock of another program is waited for. */
const LOCK_PATIENCE_MS = 120_000;

const RETRY_MS = 180_000;
const RETRIES = /returned error, retrying after/;
/** In restic's own words. */
const GONE = 'unable to open config file\n';

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly url: string;
  readonly verb: string;
  readonly cwd?: string | undefined;
  readonly signal: AbortSignal;
  /** Whether the repository was taken away; asked when restic has trouble with it. */
  readonly isGone?: (() => boolean) | undefined;
  /** How long restic may try again what fails; it would do so for a quarter of an hour. */
  readonly retryMs?: number | undefined;
  /** Called with the pid of the program as soon as it runs. */
  readonly onStart?: ((pid: number) => void) | undefined;
  /** Called with each whole line of standard output, which then is not kept. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/** Runs restic to its end. @throws MullionError as `resticFailure` has it; `cancelled`; `host_unfit` */
export async function runRestic(invocation: Invocation, options: CommandOptions): Promise<Outcome> {
  const child = start(invocation, options.cwd);
  if (child.pid !== undefined) options.onStart?.(child.pid);
  const stderr = watchErrors(child, options);
  let stdout = '';
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    if (options.onLine === undefined) {
      if (stdout.length < TEXT_LIMIT) stdout += text;
      return;
    }
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) options.onLine(line);
  });
  const code = await ending(child, options.signal);
  if (options.onLine !== undefined && rest !== '') options.onLine(rest);
  if (code === 0) return { stdout, stderr: stderr() };
  throw failureOf(options, code, stderr());
}

const failureOf = ({ url, verb, isGone }: CommandOptions, code: number, stderr: string): MullionError =>
  resticFailure(url, verb, code, stderr, isGone);

/** restic's standard output as a stream that fails when restic does. */
export function streamRestic(invocation: Invocation, options: CommandOptions): Readable {
  const child = start(invocation, options.cwd);
  const stderr = watchErrors(child, options);
  const out = new PassThrough();
  child.stdout?.pipe(out, { end: false });
  const gone = new AbortController();
  out.once('close', () => gone.abort());
  ending(child, AbortSignal.any([options.signal, gone.signal])).then(
    (code) => {
      if (code === 0) out.end();
      else out.destroy(failureOf(options, code, stderr()));
    },
    (failure: Error) => out.destroy(failure),
  );
  return out;
}

/**
 * Writes restic's standard output to a file, with holes for what is zero.
 * The pipe between the two programs is theirs alone: no byte passes through this process.
 */
export async function writeSparse(
  invocation: Invocation,
  options: CommandOptions,
  path: string,
): Promise<void> {
  const { child, writer } = startPair(invocation, options.cwd, path);
  const stderr = watchErrors(child, options);
  const complaint = keepEnd(writer.stderr);
  const [code, written] = await Promise.all([ending(child, options.signal), ending(writer, options.signal)]);
  if (written !== 0) {
    const isFull = /no space left|quota exceeded/i.test(complaint());
    throw new MullionError(
      isFull ? 'insufficient_disk' : 'command_failed',
      `The disk of the backup cannot be written: ${complaint().trim()}`,
    );
  }
  if (code !== 0) throw failureOf(options, code, stderr());
}

/** Tries again while another program holds the repository; `unlock` first takes locks of dead ones away. */
export async function patiently<T>(
  attempt: () => Promise<T>,
  unlock: () => Promise<void>,
  signal: AbortSignal,
  patienceMs: number = LOCK_PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (let pause = 500; ; pause = Math.min(pause * 2, 10_000)) {
    try {
      return await attempt();
    } catch (failure) {
      const isLocked = failure instanceof MullionError && failure.code === 'in_use';
      if (!isLocked || performance.now() > deadline) throw failure;
      await unlock();
    }
    await sleep(pause, undefined, { signal });
  }
}

function startPair(
  { argv, env }: Invocation,
  cwd: string | undefined,
  path: string,
): { readonly child: Child; readonly writer: Child } {
  using pipe = openPipe();
  const child = spawnCommand(argv, {
    stdio: ['ignore', pipe.writeEnd, 'pipe'],
    env: commandEnvironment(env),
    ...(cwd === undefined ? {} : { cwd }),
  });
  const writer = spawnCommand(
    ['dd', `of=${path}`, 'bs=64K', 'iflag=fullblock', 'conv=sparse,excl,fsync', 'status=none'],
    { stdio: [pipe.readEnd, 'ignore', 'pipe'] },
  );
  return { child, writer };
}

const start = ({ argv, env }: Invocation, cwd: string | undefined): Child =>
  spawnCommand(argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: commandEnvironment(env),
    ...(cwd === undefined ? {} : { cwd }),
  });

/** Ends a restic that only tries again and again, and keeps what it wrote. */
function watchErrors(child: Child, { isGone, retryMs = RETRY_MS }: CommandOptions): () => string {
  const stderr = keepEnd(child.stderr);
  let verdict = '';
  let deadline: NodeJS.Timeout | undefined;
  child.stderr?.on('data', (text: string) => {
    if (!RETRIES.test(text)) return;
    const giveUp = (why: string) => () => {
      verdict = why;
      child.kill('SIGKILL');
    };
    if (isGone?.() === true) giveUp(GONE)();
    deadline ??= setTimeout(giveUp(''), retryMs);
  });
  child.once('close', () => clearTimeout(deadline));
  return () => verdict + stderr();
}

function keepEnd(stream: Readable | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (more: string) => {
    text = (text + more).slice(-ERROR_LIMIT);
  });
  return () => text;
}

/** The exit code, once the streams have ended as well; 128 after a signal. */
function ending(child: Child, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      child.kill('SIGINT');
      timer ??= setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    child.once('error', (cause) => {
      settle();
      reject(new MullionError('host_unfit', 'The program setpriv or nice is not installed.', { cause }));
    });
    child.once('close', (code) => {
      settle();
      if (signal.aborted)
        reject(signal.reason instanceof MullionError ? signal.reason : cancelled(signal.reason));
      else resolve(code ?? 128);
    });
  });
}

const cancelled = (cause: unknown): MullionError =>
  new MullionError('cancelled', 'It was cancelled.', { cause });
