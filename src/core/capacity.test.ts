import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ErrorCode, MullionError } from '../contract/errors.ts';
import { NO_RATES } from '../contract/rates.ts';
import { GIB, MIB } from '../contract/sizes.ts';
import type { Features } from '../contract/techniques.ts';
import {
  type Demand,
  requireCpus,
  requireDisk,
  requireDiskChange,
  requireMemory,
  volumeLimit,
} from './capacity.ts';

const FEATURES: Features = {
  exec: true,
  tty: true,
  console: true,
  logs: true,
  files: true,
  pause: true,
  savedMemory: true,
  warmStart: true,
  gracefulStop: true,
  liveMemory: true,
  liveCpus: true,
  livePids: true,
  liveDisk: true,
  diskRates: true,
  liveDiskRates: true,
  fractionalCpus: true,
  severalCpus: true,
  ownKernel: false,
  resourcesApart: false,
  environment: true,
  health: true,
  display: false,
};
const HOST = { cpus: 2, memoryTotal: 8 * GIB, memoryAvailable: 4 * GIB };
const NONE = { ownKernelMemory: 0, startingMemory: 0 };

const demand = (
  limits: Partial<Demand['limits']>,
  features: Partial<Features> = {},
  givesDisk = false,
): Demand => ({
  limits: { cpus: 1, memory: GIB, disk: GIB, pids: 100, ...NO_RATES, ...limits },
  features: { ...FEATURES, ...features },
  givesDisk,
  minimumDisk: 2 * GIB,
});
const refuses = (code: ErrorCode, body: () => void): void => {
  assert.throws(body, (error: unknown) => error instanceof MullionError && error.code === code);
};

describe('capacity', () => {
  test('processors are bounded by the host, fractions by the technique', () => {
    requireCpus(demand({ cpus: 2 }), HOST);
    requireCpus(demand({ cpus: 0.5 }), HOST);
    refuses('insufficient_cpus', () => requireCpus(demand({ cpus: 2.1 }), HOST));
    refuses('not_supported', () => requireCpus(demand({ cpus: 0.5 }, { fractionalCpus: false }), HOST));
    refuses('not_supported', () => requireCpus(demand({ cpus: 2 }, { severalCpus: false }), HOST));
    requireCpus(demand({ cpus: 1 }, { severalCpus: false }), HOST);
  });

  test('what a hypervisor has is not bounded by what this system sees', () => {
    const apart = demand({ cpus: 16, memory: 64 * GIB }, { ownKernel: true, resourcesApart: true });
    requireCpus(apart, HOST);
    requireMemory(apart, HOST, NONE);
    refuses('not_supported', () =>
      requireCpus(demand({ cpus: 0.5 }, { resourcesApart: true, fractionalCpus: false }), HOST),
    );
  });

  test('with a shared kernel only the total bounds memory', () => {
    requireMemory(demand({ memory: 8 * GIB }), HOST, { ownKernelMemory: 8 * GIB, startingMemory: 8 * GIB });
    refuses('insufficient_memory', () => requireMemory(demand({ memory: 8 * GIB + 1 }), HOST, NONE));
  });

  test('with an own kernel what is free and what was promised bound it too', () => {
    const own = demand({ memory: 3 * GIB }, { ownKernel: true });
    requireMemory(own, HOST, NONE);
    refuses('insufficient_memory', () =>
      requireMemory(own, HOST, { ownKernelMemory: 6 * GIB, startingMemory: 0 }),
    );
    refuses('insufficient_memory', () =>
      requireMemory(own, HOST, { ownKernelMemory: 2 * GIB, startingMemory: 2 * GIB }),
    );
    refuses('insufficient_memory', () =>
      requireMemory(demand({ memory: 4 * GIB }, { ownKernel: true }), HOST, NONE),
    );
  });

  test('a disk fits the pool, and holds the image where it is one', () => {
    requireDisk(demand({ disk: GIB }), GIB);
    refuses('insufficient_disk', () => requireDisk(demand({ disk: GIB + 1 }), GIB));
    refuses('invalid_request', () => requireDisk(demand({ disk: GIB }, {}, true), 9 * GIB));
    requireDisk(demand({ disk: 2 * GIB }, {}, true), 9 * GIB);
  });

  test('a disk never shrinks, a share of the pool does, down to what is used', () => {
    requireDiskChange('web', true, GIB, GIB, 0);
    refuses('invalid_request', () => requireDiskChange('web', true, GIB, GIB - 1, 5));
    requireDiskChange('web', false, GIB, GIB - 1, 5);
    refuses('invalid_request', () => requireDiskChange('web', false, GIB, MIB, MIB + 1));
  });

  test('the volume of a disk image has room for what it overwrites', () => {
    assert.equal(volumeLimit(GIB, false), GIB);
    assert.equal(volumeLimit(GIB, true), 2 * GIB + 64 * MIB);
  });
});
