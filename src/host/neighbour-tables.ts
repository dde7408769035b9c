import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hasCode } from './system-error.ts';

/** Entries: kept without a look, kept for some seconds, and had at most (arp(7), gc_thresh1 to gc_thresh3). */
export type NeighbourRoom = readonly [unlooked: number, brief: number, most: number];

/**
 * Raises the room of the kernel's tables of neighbours to at least this, where this process may. They are one for all
 * network namespaces, and only the first of these has the settings.
 */
export function raiseNeighbourTables(room: NeighbourRoom): void {
  for (const family of ['ipv4', 'ipv6']) {
    for (const [index, value] of room.entries()) {
      const path = `/proc/sys/net/${family}/neigh/default/gc_thresh${index + 1}`;
      try {
        if (existsSync(path) && Number(readFileSync(path, 'utf8')) < value)
          writeFileSync(path, String(value));
      } catch (failure) {
        if (!hasCode(failure, 'EACCES', 'EPERM', 'EROFS')) throw failure;
      }
    }
  }
}
