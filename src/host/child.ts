import { EventEmitter } from 'node:events';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { commandEnvironment } from './command-environment.ts';
import { programPath } from './programs.ts';
import { type Ended, reap, socketPair, spawnProgram } from './syscalls/spawn.ts';
import { SystemError } from './system-error.ts';

/** A descriptor of the child: a stream to this process, nothing, or a descriptor of this process. */
export type Stdio = 'pipe' | 'ignore' | number;

export interface SpawnOptions {
  readonly stdio: readonly Stdio[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /** Whether it leads a session of its own, which outlives this process's. */
  readonly detached?: boolean | undefined;
}

interface ChildEvents {
  /** It could not be started; nothing but `close` follows. */
  error: [failure: Error];
  exit: [code: number | null, signal: NodeJS.Signals | null];
  /** After `exit`, when its streams have ended, too. */
  close: [code: number | null, signal: NodeJS.Signals | null];
}

const running = new Map<number, Child>();
/** In case a signal got lost. */
const LOOK_MS = 1_000;
let listening = false;

/** A program that this process has started, with the events and streams of Node's ChildProcess. */
export class Child extends EventEmitter<ChildEvents> {
  readonly pid: number | undefined;
  readonly stdio: readonly (Socket | null)[];
  exitCode: number | null = null;
  signalCode: NodeJS.Signals | null = null;
  #open = 0;
  #ended = false;
  readonly #look: NodeJS.Timeout | undefined;

  constructor(argv: readonly [string, ...string[]], options: SpawnOptions) {
    super();
    const ours: (Socket | null)[] = [];
    const theirs: number[] = [];
    const fds = options.stdio.map((kind, index) => {
      if (kind !== 'pipe') {
        ours.push(null);
        return kind === 'ignore' ? 'null' : kind;
      }
      const [own, other] = socketPair();
      ours.push(this.#stream(own, index));
      theirs.push(other);
      return other;
    });
    this.stdio = ours;
    try {
      const { env = commandEnvironment(), cwd, detached = false } = options;
      this.pid = spawnProgram({ path: pathOf(argv[0]), argv, env, cwd, fds, session: detached });
      running.set(this.pid, this);
      listen();
      const { pid } = this;
      this.#look = setInterval(() => reapIfEnded(pid), LOOK_MS);
    } catch (failure) {
      process.nextTick(() => this.#failed(failure));
    } finally {
      for (const fd of theirs) closeSync(fd);
    }
  }

  get stdin(): Writable | null {
    return this.stdio[0] ?? null;
  }

  get stdout(): Readable | null {
    return this.stdio[1] ?? null;
  }

  get stderr(): Readable | null {
    return this.stdio[2] ?? null;
  }

  /** False when it has ended. Until then its pid is no other's. */
  kill(signal: NodeJS.Signals | number = 'SIGTERM'): boolean {
    if (this.pid === undefined || this.#ended) return false;
    return process.kill(this.pid, signal);
  }

  /** It alone does not keep this process alive any more. */
  unref(): void {
    this.#look?.unref();
  }

  /** Its end, as waitpid(2) told it. */
  settle({ code, signal }: Ended): void {
    this.#ended = true;
    this.exitCode = code;
    this.signalCode = signal === null ? null : signalName(signal);
    clearInterval(this.#look);
    this.stdin?.destroy();
    this.emit('exit', this.exitCode, this.signalCode);
    this.#finish();
  }

  #failed(failure: unknown): void {
    this.#ended = true;
    for (const stream of this.stdio) stream?.destroy();
    this.emit('error', failure instanceof Error ? failure : new Error(String(failure)));
    this.#finish();
  }

  /** What nobody reads must not hold back the end. */
  #finish(): void {
    for (const stream of this.stdio.slice(1)) {
      if (stream !== null && stream.readableFlowing === null && stream.listenerCount('readable') === 0)
        stream.resume();
    }
    if (this.#open === 0) this.emit('close', this.exitCode, this.signalCode);
  }

  #stream(fd: number, index: number): Socket {
    const stream = new Socket({ fd, readable: index > 0, writable: index === 0 || index > 2 });
    if (index > 0) {
      this.#open += 1;
      stream.once('close', () => {
        this.#open -= 1;
        if (this.#ended && this.#open === 0) this.emit('close', this.exitCode, this.signalCode);
      });
    }
    return stream;
  }
}

/** @throws SystemError ENOENT */
function pathOf(program: string): string {
  const path = programPath(program);
  if (path === undefined) throw new SystemError('spawn', constants.errno.ENOENT, program);
  return path;
}

function listen(): void {
  if (listening) return;
  listening = true;
  process.on('SIGCHLD', reapEnded);
}

function reapEnded(): void {
  for (const pid of running.keys()) reapIfEnded(pid);
}

function reapIfEnded(pid: number): void {
  const child = running.get(pid);
  const ended = child === undefined ? undefined : reap(pid);
  if (ended === undefined) return;
  running.delete(pid);
  child?.settle(ended);
}

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number, name]),
);
function signalName(number: number): NodeJS.Signals {
  const name = NAMES.get(number) ?? `SIG${number}`;
  return name as NodeJS.Signals;
}
