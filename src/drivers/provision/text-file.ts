import type { ArchiveEntry } from '../archive/entry.ts';

export const textFile = (path: string, text: string, mode = 0o644): ArchiveEntry => ({
  kind: 'file',
  path,
  mode,
  content: Buffer.from(text),
});

/** A unit that systemd must not start (systemd.unit(5)). */
export const masked = (unit: string): ArchiveEntry => ({
  kind: 'symlink',
  path: `etc/systemd/system/${unit}`,
  target: '/dev/null',
});

/** Has a unit started with the system (systemd.unit(5), "wants" directories). A unit that is absent does no harm. */
export const wanted = (unit: string, file: string): ArchiveEntry => ({
  kind: 'symlink',
  path: `etc/systemd/system/multi-user.target.wants/${unit}`,
  target: file,
});
