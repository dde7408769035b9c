import { type ChildProcess, spawn } from 'node:child_process';

export interface CommandResult {
  /** 128 + n after signal n; -1 when it was killed for taking too long. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Default nothing; `open`: left to `onStart` to write and end. */
  readonly stdin?: string | Uint8Array | 'open' | undefined;
  /** Default two minutes. */
  readonly timeoutMs?: number | undefined;
  readonly cwd?: string | undefined;
  /** Sees the child as soon as it runs, for example to signal it. */
  readonly onStart?: ((child: ChildProcess) => void) | undefined;
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** Runs a command as a user would, in a plain environment, and never throws for its exit code. */
export function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0] ?? '', argv.slice(1), {
      cwd: options.cwd,
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: '/root', LC_ALL: 'C.UTF-8', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
      // Whoever inherited the pipes must not keep us waiting.
      child.stdout.destroy();
      child.stderr.destroy();
    }, options.timeoutMs ?? 120_000);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const ended = code ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0);
      resolve({ code: late ? -1 : ended, stdout, stderr, milliseconds: performance.now() - began });
    });
    child.stdin.on('error', () => undefined);
    if (options.stdin !== 'open') child.stdin.end(options.stdin ?? '');
    options.onStart?.(child);
  });
}
