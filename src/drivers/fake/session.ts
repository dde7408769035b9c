import { constants } from 'node:os';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import type { ExecRequest, Signal, Window } from '../../contract/streams.ts';
import type { ExecSession, Machine } from '../driver.ts';
import { runProgram, type Surroundings } from './programs.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const USERS: Readonly<Record<string, string>> = { root: '0', daemon: '1', nobody: '65534' };
/** Signals that end a program which does not catch them (signal(7)). */
const DEADLY: ReadonlySet<Signal> = new Set([
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGKILL',
  'SIGUSR1',
  'SIGUSR2',
]);

/** Runs one of the fake guest's few programs. @throws not_found for an unknown user */
export function openSession(
  machine: Machine,
  request: ExecRequest,
  { writeConsole, end }: Pick<Surroundings, 'end'> & { writeConsole: (text: string) => void },
): ExecSession {
  const uid = uidOf(request.user ?? 'root');
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const killed = Promise.withResolvers<number>();
  let window: Window = request.window ?? { columns: 80, rows: 24 };
  const lines = linesOf(stdin);

  // A process never answers before its caller listens.
  const program = setImmediate().then(() =>
    runProgram(request.argv, {
      machine,
      env: { PATH: DEFAULT_PATH, HOME: '/root', ...request.env },
      cwd: request.cwd ?? '/root',
      uid,
      tty: request.tty,
      size: () => window,
      stdout: (data) => void stdout.write(data),
      stderr: (data) => void (request.tty ? stdout : stderr).write(data),
      console: writeConsole,
      end,
      line: async () => (await lines.next()).value ?? undefined,
      input: () => stdin,
      ended: killed.promise.then(() => undefined),
    }),
  );
  const exit = Promise.race([program.catch(() => 1), killed.promise]).then(async (code) => {
    const streams = request.tty ? [stdout] : [stdout, stderr];
    for (const stream of streams) stream.end();
    // A stream that nobody reads any more has ended too.
    await Promise.allSettled(streams.map((stream) => finished(stream, { readable: false })));
    return code;
  });
  return {
    stdin,
    stdout,
    ...(request.tty ? {} : { stderr }),
    exit,
    resize: (next) => {
      window = next;
    },
    signal: (signal) => {
      if (DEADLY.has(signal)) killed.resolve(128 + constants.signals[signal]);
    },
    close: () => {
      killed.resolve(128 + constants.signals.SIGHUP);
      for (const stream of [stdin, stdout, stderr]) stream.destroy();
    },
  };
}

function uidOf(user: string): string {
  const name = user.split(':')[0] ?? '';
  if (/^[0-9]+$/.test(name)) return name;
  const uid = Object.hasOwn(USERS, name) ? USERS[name] : undefined;
  if (uid === undefined) throw new MullionError('not_found', `The guest has no user ${name}.`);
  return uid;
}

/** A terminal ends a line with a carriage return, a pipe with a line feed. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string, undefined> {
  let text = '';
  for await (const part of stream) {
    text += part.toString();
    for (let end = text.search(/[\r\n]/); end >= 0; end = text.search(/[\r\n]/)) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
  return undefined;
}
