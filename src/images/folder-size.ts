import { run } from '../host/run.ts';

/** Bytes that a folder takes on the disk. */
export async function folderSize(path: string, signal: AbortSignal): Promise<number> {
  const { stdout } = await run(['du', '--summarize', '--block-size=1', '--one-file-system', '--', path], {
    timeoutMs: 600_000,
    signal,
  });
  return Number(/^\d+/.exec(stdout)?.[0] ?? 0);
}
