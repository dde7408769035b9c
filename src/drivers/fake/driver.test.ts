import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { driverConformance, finish } from '../../../test/conformance/drivers.ts';
import { scratchDirectory } from '../../../test/support/scratch.ts';
import { NO_RATES } from '../../contract/rates.ts';
import { createNaming, vpsLogDirectory, vpsRunDirectory } from '../../core/naming.ts';
import type { Machine } from '../driver.ts';
import { createFakeDriver } from './driver.ts';
import { FAULT_VARIABLE, faultsOf } from './faults.ts';
import { parseScript } from './shell-words.ts';

for (const technique of ['os', 'full'] as const) {
  driverConformance(`fake, ${technique}`, {
    unfit: async () => undefined,
    open: async () => {
      const scratch = scratchDirectory('fake');
      const naming = createNaming(join(scratch.path, 'state'), join(scratch.path, 'run'));
      let count = 0;
      const driver = createFakeDriver({ naming });
      const make = async (overrides: Partial<Machine> = {}): Promise<Machine> => {
        const id = `m${count++}`;
        const machine: Machine = {
          id,
          name: id,
          project: 'default',
          technique,
          limits: { cpus: 1, memory: 2 ** 28, disk: 2 ** 30, pids: 100, ...NO_RATES },
          ids: { base: 1_000_000, count: 65_536 },
          volume: join(scratch.path, 'volumes', id),
          image: { id: 'image' },
          runDirectory: vpsRunDirectory(naming, id),
          logDirectory: vpsLogDirectory(naming, id),
          cgroup: id,
          nics: [],
          machineId: '0'.repeat(32),
          env: {},
          sshKeys: [],
          ...overrides,
        };
        mkdirSync(machine.volume, { recursive: true });
        return machine;
      };
      return {
        driver,
        machine: make,
        foreign: { machine: () => make({ image: { id: 'image', iso: '/image.iso' } }), up: /is up/ },
        end: async (machine, handle, kind) => {
          const argv = [kind === 'died' ? 'crash' : kind];
          const session = await driver.exec?.exec(machine, handle, { argv, env: {}, tty: false });
          if (session !== undefined) await finish(session);
        },
        remembersEnds: false,
        technique,
        patience: { ready: 10_000, stop: 1_000 },
        reopen: () => createFakeDriver({ naming }),
        close: async () => scratch[Symbol.dispose](),
      };
    },
  });
}

test('faults are read from the environment of the VPS', () => {
  const faults = faultsOf({ env: { [FAULT_VARIABLE]: 'start-fails, slow:20,dies-after:x' } });
  assert.equal(faults.startFails, true);
  assert.equal(faults.slow, 20);
  assert.equal(faults.diesAfter, undefined);
  assert.equal(faultsOf({ env: {} }).startFails, false);
});

test('a script is split into commands with their redirections', () => {
  assert.deepEqual(parseScript(`echo 'a;b' "c d" >&2; sleep 9 & echo x > /f`), [
    { words: ['echo', 'a;b', 'c d'], toFile: undefined, toStderr: true, background: false },
    { words: ['sleep', '9'], toFile: undefined, toStderr: false, background: true },
    { words: ['echo', 'x'], toFile: '/f', toStderr: false, background: false },
  ]);
});
