import type { Feature } from './techniques.ts';
import type { SetRequest } from './vps.ts';

export type PropertyName = keyof SetRequest;

/** What can be set on a VPS: its unit for people, and what a technique needs to change it while it runs. */
export interface Property {
  readonly summary: string;
  readonly kind: 'number' | 'size' | 'rate' | 'map' | 'list' | 'choice';
  readonly default: string;
  /** Feature of the technique without which a change waits for the next start; absent: always waits. `always`: needs none. */
  readonly live?: Feature | 'always';
}

export const PROPERTIES: Readonly<Record<PropertyName, Property>> = {
  cpus: {
    summary: 'processors; fractions where the technique can',
    kind: 'number',
    default: '1',
    live: 'liveCpus',
  },
  memory: { summary: 'memory limit', kind: 'size', default: '512M', live: 'liveMemory' },
  disk: {
    summary:
      'disk limit; a share of the pool shrinks down to what is used, the disk of a virtual machine never does',
    kind: 'size',
    default: '4G',
    live: 'liveDisk',
  },
  pids: {
    summary: 'most processes and threads at one time',
    kind: 'number',
    default: '1024',
    live: 'livePids',
  },
  diskReadRate: {
    summary: 'most that it reads from its disk, in bytes a second; 0: no limit',
    kind: 'size',
    default: '0',
    live: 'liveDiskRates',
  },
  diskWriteRate: {
    summary: 'most that it writes to its disk, in bytes a second; 0: no limit',
    kind: 'size',
    default: '0',
    live: 'liveDiskRates',
  },
  diskReadOps: {
    summary: 'most reads from its disk a second; 0: no limit',
    kind: 'number',
    default: '0',
    live: 'liveDiskRates',
  },
  diskWriteOps: {
    summary: 'most writes to its disk a second; 0: no limit',
    kind: 'number',
    default: '0',
    live: 'liveDiskRates',
  },
  networkInRate: {
    summary: 'most that comes to it, in bits a second (units are powers of 1000); 0: no limit',
    kind: 'rate',
    default: '0',
    live: 'always',
  },
  networkOutRate: {
    summary: 'most that it sends, in bits a second (units are powers of 1000); 0: no limit',
    kind: 'rate',
    default: '0',
    live: 'always',
  },
  env: { summary: 'environment of the first process', kind: 'map', default: 'empty' },
  sshKeys: { summary: 'SSH public keys of root', kind: 'list', default: 'none' },
  restart: {
    summary: 'when a VPS that ended by itself is started again: no, on-failure, always',
    kind: 'choice',
    default: 'on-failure',
    live: 'always',
  },
  autostart: {
    summary: 'whether it is started once the host was restarted: always, last-state, never',
    kind: 'choice',
    default: 'last-state',
    live: 'always',
  },
};
