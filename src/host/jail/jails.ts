import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import {
  JAIL_UID_BASE,
  jailCgroupRoot,
  jailRunDirectory,
  type Naming,
  ociStateDirectory,
  UID_COUNT,
} from '../../core/naming.ts';
import type { Cgroups } from '../cgroups.ts';
import { coreSize } from '../oci/core-files.ts';
import { OciRuntime } from '../oci/runtime.ts';
import {
  HOST_FOLDERS,
  JAIL_FOLDERS,
  JAIL_TIMEOUT_MS,
  type JailSpec,
  LINKS,
  NETWORK_FILES,
  renderJail,
} from './render.ts';

export type { JailMount, JailSpec } from './render.ts';

export interface JailResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A jail whose streams the caller holds. */
export interface RunningJail {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Settles after the streams have ended and the host holds nothing of it. */
  readonly ended: Promise<Omit<JailResult, 'stdout'>>;
  kill(): void;
}

const STRIKE_MS = 50;
const STDERR_LIMIT = 64 * 1024;
const STDOUT_LIMIT = 16 * 1024 ** 2;

/**
 * Runs programs that read hostile data: each in a container of crun with ids that nothing on this host has, an empty
 * read-only root, no network and limits. What it writes, it writes where the caller lets it.
 */
export class Jails {
  readonly #naming: Naming;
  readonly #cgroups: Cgroups;
  readonly #runtime: OciRuntime;

  constructor({ naming, cgroups }: { readonly naming: Naming; readonly cgroups: Cgroups }) {
    this.#naming = naming;
    this.#cgroups = cgroups;
    this.#runtime = new OciRuntime({
      stateDirectory: `${ociStateDirectory(naming)}-jails`,
      layout: cgroups.layout,
    });
  }

  /** Ends and removes what a killed daemon left. */
  async sweep(): Promise<void> {
    for (const id of await this.#runtime.list()) await this.#runtime.delete(id, { force: true });
    const root = jailCgroupRoot(this.#naming);
    await this.#cgroups.killAll(root);
    await this.#cgroups.remove(root);
    rmSync(jailRunDirectory(this.#naming), { recursive: true, force: true });
  }

  /** Runs it to its end. @throws MullionError `timeout`, `cancelled`, `host_unfit` */
  async run(spec: JailSpec, signal: AbortSignal): Promise<JailResult> {
    const jail = await this.start(spec, signal);
    jail.stdin.end();
    let stdout = '';
    jail.stdout.setEncoding('utf8');
    for await (const text of jail.stdout) if (stdout.length < STDOUT_LIMIT) stdout += String(text);
    return { ...(await jail.ended), stdout };
  }

  async start(spec: JailSpec, signal: AbortSignal, input?: number): Promise<RunningJail> {
    if (signal.aborted) throw cancelled();
    const id = `jail-${randomBytes(6).toString('hex')}`;
    const cgroup = `${jailCgroupRoot(this.#naming)}/${id}`;
    const bundle = join(jailRunDirectory(this.#naming), id);
    const root = this.#makeRoot(bundle);
    const place = {
      root,
      cgroup,
      ids: { base: JAIL_UID_BASE, count: UID_COUNT },
      architecture: process.arch,
      coreSize: coreSize(),
    };
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(renderJail(spec, place)), { mode: 0o600 });
    const child = this.#runtime.run(bundle, id, input ?? 'pipe');
    let stderr = '';
    let striking: NodeJS.Timeout | undefined;
    let why: 'timeout' | 'cancelled' | undefined;
    let over = false;
    const end = (reason?: 'timeout' | 'cancelled') => (): void => {
      if (over) return;
      why ??= reason;
      const strike = (): void => {
        void this.#cgroups.killAll(cgroup).catch(() => undefined);
        child.kill('SIGKILL');
      };
      strike();
      // What crun was about to make when it was struck comes into the group a moment later.
      striking ??= setInterval(strike, STRIKE_MS);
    };
    const timer = setTimeout(end('timeout'), spec.timeoutMs ?? JAIL_TIMEOUT_MS);
    const onAbort = end('cancelled');
    signal.addEventListener('abort', onAbort, { once: true });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < STDERR_LIMIT) stderr += text;
    });
    child.stdin?.on('error', () => undefined);
    const closed = new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve(code ?? -1));
    });
    const finish = async (): Promise<Omit<JailResult, 'stdout'>> => {
      try {
        const code = await closed;
        if (why === 'cancelled') throw cancelled();
        if (why === 'timeout') throw new MullionError('timeout', `${spec.argv[0]} did not end in time.`);
        return { code, stderr };
      } finally {
        over = true;
        clearTimeout(timer);
        clearInterval(striking);
        signal.removeEventListener('abort', onAbort);
        await this.#remove(id, cgroup, bundle);
      }
    };
    const ended = finish();
    ended.catch(() => undefined);
    return { stdin: child.stdin ?? NO_INPUT, stdout: child.stdout, ended, kill: end() };
  }

  async #remove(id: string, cgroup: string, bundle: string): Promise<void> {
    await this.#cgroups.killAll(cgroup);
    await this.#runtime.delete(id, { force: true });
    await this.#cgroups.remove(cgroup);
    rmSync(bundle, { recursive: true, force: true });
  }

  #makeRoot(bundle: string): string {
    const root = join(bundle, 'root');
    mkdirSync(root, { recursive: true, mode: 0o711 });
    for (const path of [jailRunDirectory(this.#naming), bundle]) chmodSync(path, 0o711);
    // The jail's own user opens its root.
    chmodSync(root, 0o755);
    for (const folder of [...HOST_FOLDERS, ...JAIL_FOLDERS])
      mkdirSync(join(root, folder), { recursive: true });
    for (const file of NETWORK_FILES) writeFileSync(join(root, file), '');
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/usr/sbin/nologin\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
    for (const [link, target] of Object.entries(LINKS)) {
      if (existsSync(`/${target}`)) symlinkSync(target, join(root, link));
    }
    return root;
  }
}

/** Takes what is written to a jail that reads from a descriptor instead. */
const NO_INPUT = new Writable({ write: (_chunk, _encoding, done) => done() });

const cancelled = (): MullionError => new MullionError('cancelled', 'The work was cancelled.');
