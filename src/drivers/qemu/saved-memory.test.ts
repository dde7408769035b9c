import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { machineToSave } from '../../../test/support/machines.ts';
import { MullionError } from '../../contract/errors.ts';
import { GIB, MIB } from '../../contract/sizes.ts';
import { differences } from './memory-fit.ts';
import { dropSavedMemory, type MemoryHeader, openSavedMemory, writeSavedMemory } from './saved-memory.ts';

const HEADER: MemoryHeader = {
  version: 1,
  technique: 'full',
  template: false,
  qemu: '7.2.0',
  processor: 'p',
  memory: 256 * MIB,
  cpus: 2,
  maximumCpus: 4,
  disk: GIB,
  nics: 0,
  ports: [2],
};
const HOST = { qemu: '7.2.0', processor: 'p' };

const damaged = (error: unknown): boolean => error instanceof MullionError && error.code === 'command_failed';

test('saved memory is there whole, for root alone, or not at all', async (t) => {
  const machine = machineToSave(t, 'full');
  const path = join(machine.volume, 'memory');
  assert.equal(await openSavedMemory(machine), undefined);
  await writeSavedMemory(machine, HEADER, async (file) => void (await file.write('stream')));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  {
    await using memory = await openSavedMemory(machine);
    assert.deepEqual(memory?.header, HEADER);
    const { bytesRead, buffer } = await memory.file.read(Buffer.alloc(20), 0, 20, memory.offset);
    assert.equal(buffer.toString('utf8', 0, bytesRead), 'stream');
  }
  const failing = writeSavedMemory(machine, HEADER, () => Promise.reject(new Error('no room')));
  await assert.rejects(failing, /no room/);
  assert.ok(!existsSync(path) && !existsSync(`${path}.new`));
  await dropSavedMemory(machine);
});

test('a link, a pipe, a folder or garbage in its place is an error, and is not followed', async (t) => {
  const machine = machineToSave(t, 'full');
  const path = join(machine.volume, 'memory');
  const places: readonly (() => void)[] = [
    () => symlinkSync('/etc/passwd', path),
    () => execFileSync('mkfifo', [path]),
    () => writeFileSync(path, ''),
    () => writeFileSync(path, `${'x'.repeat(10_000)}\n`),
    () => writeFileSync(path, '{"version":2}\nstream'),
    () => writeFileSync(path, `${JSON.stringify({ ...HEADER, more: 1 })}\n`),
  ];
  for (const place of places) {
    place();
    await assert.rejects(openSavedMemory(machine), damaged);
    await dropSavedMemory(machine);
    assert.ok(!existsSync(path));
  }
});

test('memory fits the same machine on the same host, and says what differs', (t) => {
  const machine = machineToSave(t, 'full');
  assert.deepEqual(differences(machine, HEADER, HOST), []);
  const limits = { ...machine.limits, memory: GIB, cpus: 1, disk: 2 * GIB };
  assert.deepEqual(differences({ ...machine, limits, technique: 'hardware' }, HEADER, HOST), [
    'it was saved with the technique full, and is hardware now',
    'it had 256M of memory then, and has 1G now',
    'it had 2 processors then, and has 1 now',
    'its disk had 1G then, and has 2G now',
  ]);
  assert.deepEqual(differences(machine, HEADER, { qemu: '10.0.2', processor: 'q' }), [
    'it was saved by QEMU 7.2.0, and here is 10.0.2',
    'it was saved on a processor of another kind',
  ]);
});
