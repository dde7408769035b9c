import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { machineToSave } from '../../../test/support/machines.ts';
import { MullionError } from '../../contract/errors.ts';
import { GIB, MIB } from '../../contract/sizes.ts';
import { differences } from './memory-fit.ts';
import { machinePaths } from './paths.ts';
import { dropSavedMemory, type MemoryHeader, readMemoryHeader, writeSavedMemory } from './saved-memory.ts';

const HEADER: MemoryHeader = {
  version: 1,
  type: 'pv',
  xen: '4.17.6',
  processor: 'p',
  memory: 256 * MIB,
  cpus: 2,
  maximumCpus: 4,
  disk: GIB,
  nics: 0,
};
const HOST = { type: 'pv', xen: '4.17.6', processor: 'p', cpus: 8 } as const;

test("a domain's memory is there whole, for root alone, or not at all", async (t) => {
  const machine = machineToSave(t, 'para');
  const { memory } = machinePaths(machine);
  assert.equal(await readMemoryHeader(machine), undefined);
  await writeSavedMemory(machine, HEADER, async (path) => writeFileSync(path, 'stream'));
  assert.deepEqual(await readMemoryHeader(machine), HEADER);
  assert.equal(readFileSync(memory, 'utf8'), 'stream');
  assert.equal(statSync(memory).mode & 0o777, 0o600);
  const failing = writeSavedMemory(machine, HEADER, () => Promise.reject(new Error('no room')));
  await assert.rejects(failing, /no room/);
  assert.ok(!existsSync(memory));
  assert.equal(await readMemoryHeader(machine), undefined);
});

test('what is told of the memory and cannot be read is an error, until it is dropped', async (t) => {
  const machine = machineToSave(t, 'para');
  for (const text of ['', '{"version":2}', JSON.stringify({ ...HEADER, more: 1 })]) {
    writeFileSync(machinePaths(machine).memoryHeader, text);
    await assert.rejects(
      readMemoryHeader(machine),
      (error: unknown) => error instanceof MullionError && error.code === 'command_failed',
    );
    await dropSavedMemory(machine);
    assert.equal(await readMemoryHeader(machine), undefined);
  }
});

test('memory fits the same machine on the same host, and says what differs', (t) => {
  const machine = machineToSave(t, 'para');
  assert.deepEqual(differences(machine, HEADER, HOST), []);
  const limits = { ...machine.limits, memory: GIB };
  assert.deepEqual(differences({ ...machine, limits }, HEADER, { ...HOST, type: 'pvh', cpus: 2 }), [
    'it was saved as pv, and would be pvh now',
    'it had 256M of memory then, and has 1G now',
    'it had room for 4 processors then, and has room for 2 now',
  ]);
  assert.deepEqual(differences(machine, HEADER, { ...HOST, xen: '4.19.0', processor: 'q' }), [
    'it was saved by Xen 4.17.6, and here is 4.19.0',
    'it was saved on a processor of another kind',
  ]);
});
