import { spawnSync } from 'node:child_process';

/** Runs a command with its output shown. @throws Error when it fails */
export function must(argv: readonly string[], timeoutMs = 60_000, env = process.env): void {
  const { status, signal, error } = spawnSync(argv[0] ?? '', argv.slice(1), {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    env,
  });
  if (status !== 0) throw new Error(`${argv.join(' ')}: ${error?.message ?? signal ?? `exit ${status}`}`);
}

/** Standard output without the last line end; empty when the command fails. */
export function answer(argv: readonly string[]): string {
  const { stdout, status } = spawnSync(argv[0] ?? '', argv.slice(1), { encoding: 'utf8', timeout: 30_000 });
  return status === 0 ? stdout.trimEnd() : '';
}
