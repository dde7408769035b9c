import type { ArchiveEntry } from '../archive/entry.ts';
import type { Machine } from '../driver.ts';

export function identityEntries(_machine: Machine): ArchiveEntry[] {
  return [];
}
