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

/** Has a unit started with the system, or another (systemd.unit(5), "wants" directories). One that is absent does no harm. */
export const wanted = (unit: string, file: string, by = 'multi-user.target'): ArchiveEntry => ({
  kind: 'symlink',
  path: `etc/systemd/system/${by}.wants/${unit}`,
  target: file,
});
