import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import type { ExecRequest, Signal, Window } from '../../contract/streams.ts';
import { signalGroupOf } from '../../host/guest-init.ts';
import { resizeTerminalOf } from '../../host/guest-terminal.ts';
import type { OciProcess } from '../../host/oci/config.ts';
import type { OciRuntime } from '../../host/oci/runtime.ts';
import type { Child } from '../../host/run.ts';
import type { ExecSession, Machine } from '../driver.ts';
import type { ContainerPaths } from './paths.ts';
import { containerId } from './paths.ts';
import { capabilitiesOf, type MostLimits, OOM_SCORE, rlimits, SEARCH_PATH } from './render.ts';
import { readState } from './state.ts';
import { openTerminalSession, type TerminalStreams } from './terminal-streams.ts';
import type { GuestUser } from './users.ts';

/** What crun itself ends with when it cannot run the command; it then has written to its log. */
const CRUN_FAILED = [255, 1];
const NOT_FOUND = 127;
const NOT_RUNNABLE = 126;
const KILLED = 137;
const PID_WAIT_MS = 5_000;
const CLOSE_MS = 2_000;
const DEFAULT_WINDOW = { columns: 80, rows: 24 };

export interface ExecContext {
  readonly runtime: OciRuntime;
  readonly machine: Machine;
  readonly paths: ContainerPaths;
  readonly most: MostLimits;
}

/** The process of the OCI runtime specification for a request. */
export function renderProcess(
  machine: Machine,
  request: ExecRequest,
  user: GuestUser,
  most: MostLimits,
): OciProcess {
  const env = {
    PATH: SEARCH_PATH,
    ...(request.tty ? { TERM: 'xterm-256color' } : {}),
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    ...machine.image.program?.env,
    ...machine.env,
    ...request.env,
  };
  return {
    terminal: request.tty,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.groups },
    cwd: request.cwd ?? user.home,
    args: request.argv,
    env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
    capabilities: capabilitiesOf(user.uid),
    noNewPrivileges: false,
    oomScoreAdj: OOM_SCORE,
    rlimits: rlimits(most),
  };
}

/** Starts a command in a running container. */
export function execInContainer(context: ExecContext, request: ExecRequest, user: GuestUser): ExecSession {
  if (request.cwd?.startsWith('/') === false) {
    throw new MullionError('invalid_request', `"${request.cwd}" is not an absolute path.`, {
      remedy: 'Write the folder from the root, for example /srv',
    });
  }
  const { runtime, machine, paths, most } = context;
  mkdirSync(paths.execDirectory, { recursive: true, mode: 0o700 });
  const stem = join(paths.execDirectory, randomBytes(8).toString('hex'));
  const files = { process: `${stem}.json`, pidFile: `${stem}.pid`, log: `${stem}.log` };
  const process = renderProcess(machine, request, user, most);
  writeFileSync(files.process, JSON.stringify(process), { mode: 0o600 });
  const start = (stdio: Parameters<OciRuntime['exec']>[1]['stdio']): Child =>
    runtime.exec(containerId(machine.id), {
      ...files,
      stdio,
      terminal: request.tty,
      containerPid: runtime.ownClocks ? readState(paths)?.init.pid : undefined,
    });
  if (!request.tty) {
    const child = start(['pipe', 'pipe', 'pipe']);
    return new ContainerExec(child, files, undefined);
  }
  const terminal = openTerminalSession(request.window ?? DEFAULT_WINDOW);
  const slave = openSync(terminal.slavePath, constants.O_RDWR | constants.O_NOCTTY);
  try {
    return new ContainerExec(start([slave, slave, slave]), files, terminal);
  } finally {
    closeSync(slave);
  }
}

interface ExecFiles {
  readonly process: string;
  readonly pidFile: string;
  readonly log: string;
}

class ContainerExec implements ExecSession {
  readonly stdin: ExecSession['stdin'];
  readonly stdout: ExecSession['stdout'];
  readonly stderr: ExecSession['stderr'];
  readonly exit: Promise<number>;
  readonly #child: Child;
  readonly #files: ExecFiles;
  readonly #terminal: TerminalStreams | undefined;
  #ended = false;
  #closed = false;

  constructor(child: Child, files: ExecFiles, terminal: TerminalStreams | undefined) {
    const stdin = terminal?.input ?? child.stdin;
    const stdout = terminal?.output ?? child.stdout;
    if (stdin === null || stdout === null) throw new TypeError('the child has no streams');
    this.#child = child;
    this.#files = files;
    this.#terminal = terminal;
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = terminal === undefined ? (child.stderr ?? undefined) : undefined;
    this.exit = this.#wait();
    this.exit.catch(() => undefined);
  }

  async #wait(): Promise<number> {
    const code = await new Promise<number>((resolve, reject) => {
      this.#child.once('error', (cause) => {
        reject(
          new MullionError('host_unfit', `The program crun cannot be started: ${cause.message}`, { cause }),
        );
      });
      this.#child.once('close', (exitCode) => resolve(exitCode ?? KILLED));
    }).finally(() => {
      this.#ended = true;
    });
    await this.#terminal?.ended();
    const complaint = CRUN_FAILED.includes(code) ? readIfThere(this.#files.log) : '';
    for (const file of Object.values(this.#files)) rmSync(file, { force: true });
    if (complaint === '') return code;
    return /not found|No such file or directory/.test(complaint) ? NOT_FOUND : NOT_RUNNABLE;
  }

  /** crun passes on that the size has changed, but not the size (crun 1.8): the command's own terminal is told. */
  resize(window: Window): void {
    if (this.#terminal === undefined) return;
    this.#withPid((pid) => resizeTerminalOf(pid, window)).catch(() => undefined);
  }

  signal(signal: Signal): void {
    this.#withPid((pid) => signalGroupOf(pid, signal)).catch(() => undefined);
  }

  /** Waits for crun to tell the command's pid, unless the command has ended. */
  async #withPid(action: (pid: number) => unknown): Promise<void> {
    const deadline = performance.now() + PID_WAIT_MS;
    while (!this.#ended && performance.now() < deadline) {
      const pid = Number(readIfThere(this.#files.pidFile));
      if (pid > 0) {
        action(pid);
        return;
      }
      await sleep(5);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.stdin.destroy();
    this.stdout.destroy();
    this.stderr?.destroy();
    this.#terminal?.close();
    if (this.#ended) return;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_MS).unref();
    this.#withPid((pid) => signalGroupOf(pid, 'SIGKILL'))
      .catch(() => undefined)
      .then(() => this.exit)
      .catch(() => undefined)
      .finally(() => clearTimeout(timer));
  }
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
