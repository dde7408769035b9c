import { mkdirSync } from 'node:fs';
import { MS, mount } from '../../src/host/mounts.ts';

/** A folder in memory, as /run is on most hosts; whoever removes it unmounts it. */
export function mountMemory(folder: string): void {
  mkdirSync(folder, { recursive: true });
  mount('tmpfs', folder, 'tmpfs', MS.nosuid | MS.nodev, 'mode=755,size=64m');
}
