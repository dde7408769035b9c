import { MullionError } from '../contract/errors.ts';
import { Child, type SpawnOptions } from './child.ts';
import { commandEnvironment } from './command-environment.ts';

export type { Child, Stdio } from './child.ts';
export { commandEnvironment } from './command-environment.ts';

export interface RunOptions {
  /** What a failure calls the program; default the first word. */
  readonly name?: string | undefined;
  readonly stdin?: string | Uint8Array | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /** Killed with SIGKILL after this many milliseconds; default 60,000. */
  readonly timeoutMs?: number | undefined;
  /** Exit codes that are no failure; default only 0. */
  readonly okCodes?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with each piece of standard output and standard error as it comes. */
  readonly onOutput?: ((text: string) => void) | undefined;
  /** Descriptors the child gets as 3, 4, ... */
  readonly extraFds?: readonly number[] | undefined;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Standard output and error are kept up to this many characters each. */
const OUTPUT_LIMIT = 4 * 1024 * 1024;
export type Runner = (argv: readonly string[], options?: RunOptions) => Promise<RunResult>;

/**
 * Runs a command, given as an argument array and never through a shell, and waits for its end.
 * @throws MullionError `command_failed` with argv, exit code and the end of stderr; `timeout`; `cancelled`;
 *   `host_unfit` when the program is not installed.
 */
export const run: Runner = (argv, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawnCommand(argv, {
      stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(options.extraFds ?? [])],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: commandEnvironment(options.env),
    });
    let stdout = '';
    let stderr = '';
    let ended: 'timeout' | 'cancelled' | undefined;
    const end = (why: 'timeout' | 'cancelled') => () => {
      ended ??= why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(end('timeout'), options.timeoutMs ?? 60_000);
    const onAbort = end('cancelled');
    if (options.signal?.aborted === true) onAbort();
    options.signal?.addEventListener('abort', onAbort, { once: true });

    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < OUTPUT_LIMIT) stdout += text;
      options.onOutput?.(text);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < OUTPUT_LIMIT) stderr += text;
      options.onOutput?.(text);
    });
    const settle = (code: number, failure?: Error): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      if (failure === undefined && ended === undefined && (options.okCodes ?? [0]).includes(code)) {
        resolve({ code, stdout, stderr });
      } else {
        reject(commandError(options.name ?? argv[0] ?? '', argv, code, stderr, ended, failure));
      }
    };
    child.on('error', (failure) => settle(-1, failure));
    child.on('close', (code) => settle(code ?? -1));
    if (options.stdin !== undefined) {
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(options.stdin);
    }
  });

/** Starts a command without waiting; the caller owns the child. */
export function spawnCommand(argv: readonly string[], options: SpawnOptions): Child {
  const [program, ...rest] = argv;
  if (program === undefined) throw new TypeError('an empty argument array');
  return new Child([program, ...rest], options);
}

function commandError(
  program: string,
  argv: readonly string[],
  code: number,
  stderr: string,
  ended: 'timeout' | 'cancelled' | undefined,
  failure: Error | undefined,
): MullionError {
  const details = { argv: [...argv], exitCode: code, stderr: stderr.slice(-4000) };
  if (failure !== undefined && 'code' in failure && failure.code === 'ENOENT') {
    return new MullionError('host_unfit', `The program ${program} is not installed.`, {
      remedy: 'Run: mullion quickstart, which installs what is missing',
      details,
      cause: failure,
    });
  }
  if (ended === 'timeout') return new MullionError('timeout', `${program} did not end in time.`, { details });
  if (ended === 'cancelled') return new MullionError('cancelled', `${program} was cancelled.`, { details });
  const lastLine = stderr.trim().split('\n').at(-1) ?? '';
  return new MullionError(
    'command_failed',
    `${program} failed with exit code ${code}: ${lastLine || 'no message'}`,
    {
      details,
      ...(failure === undefined ? {} : { cause: failure }),
    },
  );
}
