import { once } from 'node:events';
import { closeSync, existsSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import { type CgroupLayout, detectCgroups } from '../cgroup-layout.ts';
import { quickMoves } from '../cgroup-moves.ts';
import { makeClocks } from '../clocks.ts';
import { commandEnvironment, PLAIN_LANGUAGE } from '../command-environment.ts';
import { descriptorPath, moveFd } from '../descriptors.ts';
import { openFifo } from '../fifo.ts';
import { mountsWithout } from '../mount-namespaces.ts';
import { type Child, type RunOptions, type RunResult, run, type Stdio, spawnCommand } from '../run.ts';
import { sealedProgram } from '../sealed-program.ts';
import { hasCode } from '../system-error.ts';
import {
  type Crun,
  createPrefix,
  crunArgv,
  type ExecOptions,
  execArgv,
  hiddenFromCreate,
  inTerminalSession,
  type MonitorOptions,
  withClocksOf,
} from './arguments.ts';
import { createMonitored } from './monitor.ts';

export type OciStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped';
const STATUSES: readonly string[] = ['creating', 'created', 'running', 'paused', 'stopped'];
const isStatus = (text: unknown): text is OciStatus => typeof text === 'string' && STATUSES.includes(text);

export interface CreateOptions {
  /** Where crun writes the container's pid. */
  readonly pidFile: string;
  /** Puts conmon above the container: a console, its log, the exit code. */
  readonly monitor?: MonitorOptions | undefined;
  /** With a monitor: makes what crun needs while the monitor is loaded; what is mounted then, the container can have. */
  readonly complete?: (() => Promise<void>) | undefined;
  /** With a monitor: done while crun works. */
  readonly meanwhile?: (() => void) | undefined;
  /** Without a monitor: what standard output and error become; absent, they are thrown away. */
  readonly outputFd?: number | undefined;
  /** Descriptors that the container gets as 3, 4, ... */
  readonly extraFds?: readonly number[] | undefined;
}

/** A child whose output is piped. */
export type ContainerChild = Child & { readonly stdout: Readable; readonly stderr: Readable };

interface Ground extends Disposable {
  /** What stands before `crun create`. */
  readonly prefix: readonly string[];
  /** Must be done before crun begins: the container's clocks begin. */
  takeClocks(): Promise<void>;
  /** Must be done before crun begins: it finds what is mounted now. */
  takeMounts(): void;
}

const CREATE_MS = 30_000;

/**
 * Containers by crun(1). All state is on disk below `stateDirectory`, so that it outlives this process and another one
 * finds it. `id`s are the caller's and must be fit for a file name.
 */
export class OciRuntime {
  readonly stateDirectory: string;
  readonly ownClocks: boolean;
  readonly #layout: CgroupLayout;

  constructor(options: {
    readonly stateDirectory: string;
    readonly layout?: CgroupLayout | undefined;
    /** Each container counts its time from its own beginning, where the kernel can. */
    readonly ownClocks?: boolean | undefined;
  }) {
    this.ownClocks = options.ownClocks === true && existsSync('/proc/self/ns/time');
    this.stateDirectory = options.stateDirectory;
    this.#layout = options.layout ?? detectCgroups();
  }

  /**
   * Makes the container's process, which waits before its program.
   * @throws MullionError `start_failed` with crun's words
   */
  async create(bundle: string, id: string, options: CreateOptions): Promise<{ readonly pid: number }> {
    checkId(id);
    const { monitor, pidFile } = options;
    using _moves = quickMoves(this.#layout);
    if (monitor !== undefined) {
      using ground = this.#ground(this.ownClocks);
      const container = { id, bundle, pidFile, monitor };
      return await createMonitored(this.#crun, ground.prefix, container, options.extraFds ?? [], {
        complete: async () => {
          await options.complete?.();
          await ground.takeClocks();
          ground.takeMounts();
        },
        meanwhile: () => options.meanwhile?.(),
      });
    }
    return await this.#createBare(bundle, id, options);
  }

  get #crun(): Crun {
    return { program: sealedProgram('crun'), stateDirectory: this.stateDirectory };
  }

  /** @throws MullionError `command_failed` that names crun, whatever stands before it */
  #run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run(argv, { ...options, name: 'crun', env: PLAIN_LANGUAGE });
  }

  /** `pid` is the container's; it is not needed where containers have the host's clocks. */
  #clocks(pid: number | undefined): string[] {
    return withClocksOf(this.ownClocks ? pid : undefined);
  }

  /** What crun needs to make a container; to be kept until it has. Descriptors have their places before they have a use. */
  #ground(ownClocks: boolean): Ground {
    const hidden = hiddenFromCreate(this.#layout);
    const mounts = hidden === undefined ? undefined : openSync('/dev/null', 'r');
    const clocks = ownClocks ? openSync('/dev/null', 'r') : undefined;
    return {
      prefix: createPrefix(
        clocks === undefined ? undefined : descriptorPath(clocks),
        mounts === undefined ? undefined : descriptorPath(mounts),
      ),
      takeClocks: async () => {
        if (clocks !== undefined) moveFd(await makeClocks(), clocks);
      },
      takeMounts: () => {
        if (hidden !== undefined && mounts !== undefined) moveFd(mountsWithout(hidden), mounts);
      },
      [Symbol.dispose]: () => {
        for (const fd of [mounts, clocks]) if (fd !== undefined) closeSync(fd);
      },
    };
  }

  async #createBare(bundle: string, id: string, options: CreateOptions): Promise<{ readonly pid: number }> {
    const { pidFile, outputFd = 'ignore', extraFds = [] } = options;
    const log = `${pidFile}.log`;
    using ground = this.#ground(this.ownClocks);
    await ground.takeClocks();
    ground.takeMounts();
    const argv = crunArgv(
      this.#crun,
      ...['--log', log],
      ...['create', '--bundle', bundle, '--pid-file', pidFile],
      ...(extraFds.length === 0 ? [] : ['--preserve-fds', String(extraFds.length)]),
      id,
    );
    try {
      const child = spawnCommand([...ground.prefix, ...argv], {
        stdio: ['ignore', outputFd, outputFd, ...extraFds],
      });
      // The container keeps the output open: what tells is the end of crun, not of its streams.
      const code = await exitOf(child);
      if (code !== 0) throw createFailed(await readFile(log, 'utf8').catch(() => ''), code);
      return { pid: Number(await readFile(pidFile, 'utf8')) };
    } finally {
      await rm(log, { force: true });
    }
  }

  /** Runs a container in the foreground, with the host's clocks; the caller owns the child, whose exit code is the container's. */
  run(bundle: string, id: string, input: number | 'pipe' | 'ignore'): ContainerChild {
    const argv = crunArgv(this.#crun, 'run', '--bundle', bundle, checkId(id));
    const ground = this.#ground(false);
    ground.takeMounts();
    const child = spawnCommand([...ground.prefix, ...argv], { stdio: [input, 'pipe', 'pipe'] });
    child.once('close', () => ground[Symbol.dispose]());
    if (!hasPipes(child)) throw new TypeError('a child without pipes');
    return child;
  }

  /**
   * Lets the container's program begin, as crun(1) does by a program of its own: it looks whether the process is there, and
   * writes to the pipe that this one reads (crun, src/libcrun/status.c, "exec.fifo"). Where that fails crun itself says why.
   * @throws MullionError `command_failed`
   */
  async start(id: string, pid?: number): Promise<void> {
    if (letBegin(join(this.stateDirectory, checkId(id), 'exec.fifo'))) return;
    await this.#run([...this.#clocks(pid), ...crunArgv(this.#crun, 'start', id)]);
  }

  /** A signal, by name or number, to the container's first process. @throws MullionError `command_failed` */
  async kill(id: string, signal: NodeJS.Signals | number): Promise<void> {
    await this.#run(crunArgv(this.#crun, 'kill', checkId(id), String(signal)));
  }

  /** Frees the container, with `force` also one that runs. Nothing there is fine; so is a half-made one. */
  async delete(id: string, options: { readonly force: boolean }): Promise<void> {
    checkId(id);
    if (!(await this.list()).includes(id)) return;
    const force = options.force ? ['--force'] : [];
    await this.#run(crunArgv(this.#crun, 'delete', ...force, id), {
      okCodes: options.force ? [0, 1] : [0],
    });
    if (options.force) await rm(join(this.stateDirectory, id), { recursive: true, force: true });
  }

  /** Undefined when there is no such container. */
  async state(id: string, pid?: number): Promise<OciStatus | undefined> {
    checkId(id);
    if (!(await this.list()).includes(id)) return undefined;
    const { code, stdout } = await this.#run([...this.#clocks(pid), ...crunArgv(this.#crun, 'state', id)], {
      okCodes: [0, 1],
    });
    if (code !== 0) return undefined;
    const state: unknown = JSON.parse(stdout);
    const status =
      typeof state === 'object' && state !== null && 'status' in state ? state.status : undefined;
    return isStatus(status) ? status : undefined;
  }

  /** Starts a command in the container; the caller owns the child, whose exit code is the command's. */
  exec(
    id: string,
    options: ExecOptions & { readonly stdio: readonly Stdio[]; readonly terminal: boolean },
  ): Child {
    const argv = execArgv(this.#crun, checkId(id), options);
    // A session of its own either way: a signal to the command's process group must never reach this process.
    const env = commandEnvironment(PLAIN_LANGUAGE);
    return options.terminal
      ? spawnCommand(inTerminalSession(argv), { stdio: options.stdio, env })
      : spawnCommand(argv, { stdio: options.stdio, env, detached: true });
  }

  /** Ids of all that crun has a record of, half-made ones too. */
  async list(): Promise<string[]> {
    const entries = await readdir(this.stateDirectory).catch((failure: NodeJS.ErrnoException) => {
      if (failure.code === 'ENOENT') return [];
      throw failure;
    });
    return entries.filter((entry) => !entry.startsWith('.'));
  }
}

/** False when no container waits there. Its pipe goes first: by that, crun tells one that has begun. */
function letBegin(fifo: string): boolean {
  try {
    const fd = openFifo(fifo, 'write');
    try {
      unlinkSync(fifo);
      return writeSync(fd, Buffer.alloc(1)) === 1;
    } finally {
      closeSync(fd);
    }
  } catch (failure) {
    if (hasCode(failure, 'ENOENT', 'ENXIO', 'EPIPE')) return false;
    throw failure;
  }
}

async function exitOf(child: Child): Promise<number> {
  const timer = setTimeout(() => child.kill('SIGKILL'), CREATE_MS);
  try {
    const [code]: unknown[] = await once(child, 'exit');
    return typeof code === 'number' ? code : -1;
  } finally {
    clearTimeout(timer);
  }
}

export function createFailed(words: string, code: number): MullionError {
  const last = words.trim().split('\n').at(-1) || `exit code ${code}`;
  return new MullionError('start_failed', `crun could not make the container: ${last}`, {
    details: { output: words.slice(-4000) },
    remedy: 'Run: mullion doctor, which tries a small container',
  });
}

/** An id becomes an argument and a folder's name. @throws MullionError `internal` */
export function checkId(id: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(id)) return id;
  throw new MullionError('internal', `"${id.slice(0, 200)}" is no container id.`);
}

const hasPipes = (child: ReturnType<typeof spawnCommand>): child is ContainerChild =>
  child.stdout !== null && child.stderr !== null;
