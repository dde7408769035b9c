import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { type StreamSession, startStreamSession } from '../client/stream-session.ts';
import type { MessageSocket } from '../client/transport.ts';
import { CHANNEL, SIGNALS, type Signal } from '../contract/channels.ts';
import type { ExecRequest, Window } from '../contract/streams.ts';

/** The local ends of a session. */
export interface LocalEnds {
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly stdout: Writable & { readonly columns?: number; readonly rows?: number };
  readonly stderr: Writable;
}

export interface AttachOptions {
  /** Absent for a console. */
  readonly request?: ExecRequest | undefined;
  /** Every key goes to the other side, Ctrl-C included. */
  readonly raw: boolean;
  /** Sees what is typed before it is sent; undefined ends the session. */
  readonly filter?: ((data: Uint8Array) => Uint8Array | undefined) | undefined;
  /** Told once when the other side takes its time to begin. */
  readonly onWait?: (() => void) | undefined;
}

/** From when on whoever waits is told so. */
const TELL_MS = 2_000;

/** Signals that a user or a script sends to the command line, and that go on to the command inside. */
const FORWARDED: readonly Signal[] = SIGNALS.filter(
  (signal) => signal !== 'SIGKILL' && signal !== 'SIGWINCH' && signal !== 'SIGTSTP' && signal !== 'SIGCONT',
);

/**
 * Joins the local terminal or pipes to a session until it ends; answers its exit code. The terminal is put back into
 * its mode, whatever happens. Until the other side has begun, a signal ends the wait.
 */
export async function attach(
  socket: MessageSocket,
  ends: LocalEnds,
  options: AttachOptions,
): Promise<number> {
  const { stdin, stdout } = ends;
  const session: StreamSession = startStreamSession(
    socket,
    (channel, data) => {
      const target = channel === CHANNEL.stderr ? ends.stderr : stdout;
      if (target.write(data)) return true;
      target.once('drain', () => session.resume());
      return false;
    },
    options.request,
  );
  const { promise: left, resolve: leave } = Promise.withResolvers<number>();
  const raw = options.raw && stdin.isTTY === true;
  let started = false;
  let over = false;
  const timer = setTimeout(() => options.onWait?.(), TELL_MS);
  const begin = (): void => {
    clearTimeout(timer);
    started = true;
    if (raw && !over) stdin.setRawMode?.(true);
  };
  void session.started.then(begin);
  const release = [
    () => clearTimeout(timer),
    onSignals((signal) => {
      // In raw mode the keys themselves travel: an interrupt that still arrives is for this process.
      const own = options.request === undefined || !started || (raw && signal === 'SIGINT');
      if (own) leave(128 + constants.signals[signal]);
      else void session.signal(signal).catch(() => undefined);
    }),
    options.raw ? forwardSize(session, ends, options.request === undefined) : () => undefined,
  ];
  pumpInput(stdin, session, options, () => leave(0)).catch(() => undefined);
  try {
    return await Promise.race([session.exit, left]);
  } finally {
    over = true;
    if (raw && started) stdin.setRawMode?.(false);
    for (const undo of release) undo();
    session.close();
    stdin.destroy();
    await flushed(stdout);
    await flushed(ends.stderr);
  }
}

async function pumpInput(
  stdin: Readable,
  session: StreamSession,
  options: AttachOptions,
  leave: () => void,
): Promise<void> {
  for await (const piece of stdin) {
    const data = piece instanceof Uint8Array ? piece : Buffer.from(String(piece));
    const kept = options.filter === undefined ? data : options.filter(data);
    if (kept === undefined) {
      leave();
      return;
    }
    if (kept.length > 0) await session.write(kept);
  }
  if (options.request !== undefined) await session.endInput();
}

function onSignals(act: (signal: Signal) => void): () => void {
  const handlers = FORWARDED.map((signal) => {
    const handler = (): void => act(signal);
    process.on(signal, handler);
    return { signal, handler };
  });
  return () => {
    for (const { signal, handler } of handlers) process.off(signal, handler);
  };
}

function forwardSize(session: StreamSession, ends: LocalEnds, atOnce: boolean): () => void {
  const tell = (): void => {
    const window = windowOf(ends.stdout);
    if (window !== undefined) void session.resize(window).catch(() => undefined);
  };
  if (atOnce) tell();
  ends.stdout.on('resize', tell);
  return () => ends.stdout.off('resize', tell);
}

/** The size of the terminal; undefined without one. */
export const windowOf = (stream: LocalEnds['stdout']): Window | undefined =>
  stream.columns === undefined || stream.rows === undefined || stream.columns < 1 || stream.rows < 1
    ? undefined
    : { columns: stream.columns, rows: stream.rows };

const flushed = (stream: Writable): Promise<void> =>
  new Promise((resolve) => {
    if (stream.writableLength === 0 || stream.destroyed) resolve();
    else stream.write('', () => resolve());
  });
