import { chmod, glob, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../host/run.ts';
import { DISABLED_UNITS, ENABLED_UNITS, type GuestFile, REMOVED } from './guest-files.ts';

/** Makes a fresh Debian root file system into that of a VPS. It is our own build: none of its links is hostile. */
export async function customize(
  root: string,
  files: readonly GuestFile[],
  signal: AbortSignal,
): Promise<void> {
  for await (const path of glob([...REMOVED], { cwd: root })) {
    await rm(join(root, path), { recursive: true, force: true });
  }
  for (const entry of files) await writeEntry(root, entry);
  for (const [verb, units] of [
    ['disable', DISABLED_UNITS],
    ['enable', ENABLED_UNITS],
  ] as const) {
    await run(['systemctl', `--root=${root}`, '--quiet', verb, ...units], { signal });
  }
}

async function writeEntry(root: string, entry: GuestFile): Promise<void> {
  const path = join(root, entry.path);
  await mkdir(dirname(path), { recursive: true });
  switch (entry.kind) {
    case 'directory':
      await mkdir(path, { recursive: true });
      await chmod(path, entry.mode);
      return;
    case 'file':
      // A link there, as resolv.conf may be, must not be followed.
      await rm(path, { force: true });
      await writeFile(path, entry.content);
      await chmod(path, entry.mode ?? 0o644);
      return;
    case 'link':
      await rm(path, { force: true });
      await symlink(entry.target, path);
      return;
  }
}
