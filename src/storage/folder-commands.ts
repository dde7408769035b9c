import { run } from '../host/run.ts';

const HOUR_MS = 3_600_000;

/** Removes a folder with all in it, never leaving its file system; nothing there is fine. */
export const removeFolder = async (path: string): Promise<void> => {
  await run(['rm', '--recursive', '--force', '--one-file-system', '--', path], { timeoutMs: HOUR_MS });
};

/** Bytes that a folder takes on the disk, counted file by file. */
export async function measureFolder(path: string): Promise<number> {
  const { stdout } = await run(['du', '--summarize', '--block-size=1', '--one-file-system', '--', path], {
    timeoutMs: HOUR_MS,
    okCodes: [0, 1],
  });
  return Number(/^\d+/.exec(stdout)?.[0] ?? 0);
}

/** Copies a folder with owners, holes and all attributes, never leaving its file system; shares data where that is possible. */
export const copyFolder = async (source: string, target: string): Promise<void> => {
  const options = ['--archive', '--one-file-system', '--reflink=auto', '--sparse=always'];
  await run(['cp', ...options, '--no-target-directory', '--', source, target], { timeoutMs: HOUR_MS });
};
