import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cutFuse, hasFuse } from '../../../host/fuse.ts';
import { programOf } from '../../../host/guest-init.ts';
import { mountedDevices } from '../../../host/mount-devices.ts';
import { mountsUnder, unmount } from '../../../host/mounts.ts';
import { O_PATH } from '../../../host/open-flags.ts';
import {
  processesWithArgument,
  processStart,
  signalProcess,
  waitForExit,
  watchExit,
} from '../../../host/processes.ts';
import { programPath } from '../../../host/programs.ts';
import { spawnCommand } from '../../../host/run.ts';
import { SHARES } from './proc-view.ts';

const PROGRAM = 'lxcfs';
const START_MS = 5_000;
const ANSWER_MS = 5_000;
const WATCH_MS = 2_000;
const STOP_MS = 2_000;

const NOTHING: ReadonlyMap<string, number> = new Map();

interface Server {
  readonly pid: number;
  readonly start: number;
}

/**
 * One lxcfs(1) for this installation, which outlives the daemon as guests do. It is found again by its pid, started again
 * when it has died, and ended and started again when it no longer answers.
 */
export class Lxcfs {
  readonly folder: string;
  readonly #pidFile: string;
  #ready: Promise<boolean> | undefined;
  #stopWatching: () => void = () => undefined;
  #closed = false;
  readonly #renewed: () => Promise<void>;
  /** Descriptors of what it serves, while it does. */
  #shares: ReadonlyMap<string, number> | undefined;

  /** `renewed` is called each time one is lost, and each time a new one has come in its place. */
  constructor(runDirectory: string, renewed: () => Promise<void>) {
    this.folder = join(runDirectory, 'lxcfs');
    this.#pidFile = join(runDirectory, 'lxcfs.pid');
    this.#renewed = renewed;
  }

  /** The files of `SHARES` that it serves, by descriptor, while it does: to find them by name it is asked each time. */
  get shares(): ReadonlyMap<string, number> {
    return this.#shares ?? NOTHING;
  }

  /** Of the file system that it serves, as tables of mounts name it; undefined while it does not. */
  get device(): string | undefined {
    if (this.#shares === undefined) return undefined;
    return mountedDevices('self').find(({ target, fstype }) => target === this.folder && isFuse(fstype))
      ?.device;
  }

  /** True when it serves; false where it is not installed or cannot run. */
  ensure(): Promise<boolean> {
    this.#ready ??= this.#start(false);
    return this.#ready;
  }

  async #start(again: boolean): Promise<boolean> {
    if (programPath(PROGRAM) === undefined || !hasFuse()) return false;
    const known = this.#known();
    const server = known !== undefined && (await this.#answers()) ? known : await this.#launch(known);
    if (server === undefined) return false;
    this.#watch(server);
    this.#shares = openShares(join(this.folder, 'proc'));
    if (again || server !== known) await this.#renewed();
    return true;
  }

  #known(): Server | undefined {
    try {
      const pid = Number(readFileSync(this.#pidFile, 'utf8'));
      const start = processStart(pid);
      return start === undefined || programOf(pid) !== PROGRAM ? undefined : { pid, start };
    } catch {
      return undefined;
    }
  }

  /** Those of a daemon that was killed before it wrote their pid down. */
  #strays(): readonly Server[] {
    return processesWithArgument(this.folder).filter(({ pid }) => programOf(pid) === PROGRAM);
  }

  async #launch(former: Server | undefined): Promise<Server | undefined> {
    for (const server of former === undefined ? this.#strays() : [former, ...this.#strays()])
      await this.#end(server);
    unmount(this.folder);
    mkdirSync(this.folder, { recursive: true, mode: 0o755 });
    const log = openSync(`${this.#pidFile}.log`, 'w', 0o600);
    const argv = [
      PROGRAM,
      '-f',
      '--enable-loadavg',
      '--enable-cfs',
      '-p',
      `${this.#pidFile}.own`,
      this.folder,
    ];
    const child = spawnCommand(argv, { stdio: ['ignore', log, log], detached: true, cwd: '/' });
    closeSync(log);
    child.on('error', () => undefined);
    child.unref();
    const deadline = performance.now() + START_MS;
    while (!isMounted(this.folder)) {
      if (child.exitCode !== null || child.pid === undefined || performance.now() > deadline)
        return undefined;
      await sleep(5);
    }
    if (child.pid === undefined) return undefined;
    const start = processStart(child.pid);
    if (start === undefined) return undefined;
    writeFileSync(this.#pidFile, String(child.pid), { mode: 0o600 });
    return { pid: child.pid, start };
  }

  /** A server that stands still would hold every program of a guest that asks for its memory. */
  #watch(server: Server): void {
    const lost = (): void => {
      stop();
      this.#closeShares();
      if (this.#closed) return;
      this.#ready = this.#renewed().then(() => this.#again());
    };
    const unwatch = watchExit(server.pid, server.start, lost);
    const timer = setInterval(() => {
      this.#answers().then(
        (well) => {
          if (!well && !this.#closed) this.#end(server).catch(() => undefined);
        },
        () => undefined,
      );
    }, WATCH_MS).unref();
    const stop = (): void => {
      unwatch();
      clearInterval(timer);
    };
    this.#stopWatching = stop;
  }

  async #again(): Promise<boolean> {
    for (let pause = 10; !this.#closed; pause = Math.min(pause * 2, 10_000)) {
      if (await this.#start(true).catch(() => false)) return true;
      await sleep(pause, undefined, { ref: false });
    }
    return false;
  }

  async #answers(): Promise<boolean> {
    const late = new AbortController();
    try {
      const answer = readFile(join(this.folder, 'proc/uptime'), 'utf8').then(
        (text) => text !== '',
        () => false,
      );
      return await Promise.race([answer, sleep(ANSWER_MS, false, { signal: late.signal, ref: false })]);
    } finally {
      late.abort();
    }
  }

  async #end({ pid, start }: Server): Promise<void> {
    signalProcess(pid, start, 'SIGKILL');
    cutFuse(this.folder);
    await waitForExit(pid, start, STOP_MS);
  }

  #closeShares(): void {
    for (const fd of this.shares.values()) closeSync(fd);
    this.#shares = undefined;
  }

  /** Leaves it running. */
  close(): void {
    this.#closed = true;
    this.#stopWatching();
    this.#closeShares();
  }

  /** Ends it: no guest may need it any more. The next that does gets a new one. */
  async remove(): Promise<void> {
    this.close();
    await this.#ready?.catch(() => false);
    for (const server of this.#strays()) await this.#end(server);
    unmount(this.folder);
    for (const path of ['', '.own', '.log']) rmSync(`${this.#pidFile}${path}`, { force: true });
    rmSync(this.folder, { recursive: true, force: true });
    this.#ready = undefined;
    this.#closed = false;
  }
}

/** What it does not have, or does not answer for, is missing. */
function openShares(folder: string): ReadonlyMap<string, number> {
  const opened = new Map<string, number>();
  for (const name of SHARES) {
    try {
      opened.set(name, openSync(join(folder, name), O_PATH));
    } catch {
      // What counts for nobody is told as it is without counting.
    }
  }
  return opened;
}

export const isFuse = (fstype: string): boolean => fstype === 'fuse.lxcfs' || fstype === 'fuse';
const isMounted = (folder: string): boolean => mountsUnder(folder).some(({ fstype }) => isFuse(fstype));
