import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MARK, runInPrivateNetns } from './netns-run.ts';

/**
 * Runs the calling test file again in network and mount namespaces of its own, so that bridges and rules never touch the
 * machine's network. Use it around every test of a file:
 *
 *     if (enterPrivateNetns(import.meta.url)) { test('...', ...); }
 *
 * True in the inner process. False in the outer one, which waits for the inner and takes over its exit code; where
 * the host allows no namespaces, it registers one skipped test that gives the reason. Cgroups and /sys stay the host's
 * (so /sys/class/net shows the host's links; read /proc/net instead).
 */
export function enterPrivateNetns(fileUrl: string): boolean {
  const outer = process.env[MARK];
  if (outer !== undefined) {
    if (readlinkSync('/proc/self/ns/net') === outer)
      throw new Error('still in the network namespace of the machine');
    checked(['ip', 'link', 'set', 'lo', 'up']);
    return true;
  }
  const inner = runInPrivateNetns(fileURLToPath(fileUrl));
  if (inner.code === undefined) {
    test(`the tests of ${fileURLToPath(fileUrl)}`, (t) => t.skip(`no private network: ${inner.reason}`));
    return false;
  }
  process.exitCode = inner.code;
  return false;
}

/** Whether this process is the inner one of `enterPrivateNetns`. */
export function inPrivateNetns(): boolean {
  const outer = process.env[MARK];
  return outer !== undefined && readlinkSync('/proc/self/ns/net') !== outer;
}

/** A bare network namespace, held by a process that sleeps; dies with the test. */
export class NetnsGuest implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
    child.unref();
  }

  static async start(): Promise<NetnsGuest> {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--net', 'sleep', '600'], {
      stdio: 'ignore',
    });
    if (child.pid === undefined) throw new Error('setpriv, unshare or sleep is not installed');
    const own = readlinkSync('/proc/self/ns/net');
    const deadline = Date.now() + 5_000;
    while (
      readFileSync(`/proc/${child.pid}/comm`, 'utf8').trim() !== 'sleep' ||
      readlinkSync(`/proc/${child.pid}/ns/net`) === own
    ) {
      if (Date.now() > deadline) throw new Error('the namespace did not come up');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return new NetnsGuest(child, child.pid);
  }

  /** Arguments that run `argv` in this namespace. */
  command(argv: readonly string[]): string[] {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`, ...argv];
  }

  /** Runs a command in it, at most 10 s; standard output, or undefined when it failed. */
  async output(argv: readonly string[], stdin: string | Uint8Array = ''): Promise<string | undefined> {
    const result = await attempt(this.command(argv), stdin);
    return result.code === 0 ? result.stdout : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.ref();
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Runs a command, at most 10 s, and never throws for its exit code. */
export function attempt(
  argv: readonly string[],
  stdin: string | Uint8Array = '',
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0] ?? '', argv.slice(1), { timeout: 10_000, killSignal: 'SIGKILL' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
  });
}

function checked(argv: readonly string[]): void {
  const result = spawnSync(argv[0] ?? '', argv.slice(1), { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`);
}
