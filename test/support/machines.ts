import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { NO_RATES } from '../../src/contract/rates.ts';
import { MIB } from '../../src/contract/sizes.ts';
import type { Machine } from '../../src/drivers/driver.ts';
import type { DriverFixture } from '../conformance/drivers.ts';
import { scratchDirectory } from './scratch.ts';

/** What tells the machines of one fixture from those of another. */
type Own = Pick<Machine, 'id' | 'technique' | 'ids' | 'image' | 'cgroup'> & { readonly memory: number };

/** A machine with folders of its own below the fixture's, and no link. */
export function machineIn(scratch: string, { memory, ...own }: Own, overrides: Partial<Machine>): Machine {
  const folder = join(scratch, own.id);
  const machine = {
    ...own,
    name: own.id,
    project: 'default',
    limits: { cpus: 1, memory, disk: 1024 ** 3, pids: 256, ...NO_RATES },
    volume: join(folder, 'volume'),
    runDirectory: join(scratch, 'run', own.id),
    logDirectory: join(folder, 'log'),
    nics: [],
    machineId: '0'.repeat(32),
    env: {},
    sshKeys: [],
  };
  for (const path of [folder, machine.logDirectory, machine.volume, machine.runDirectory]) {
    mkdirSync(path, { recursive: true, mode: 0o711 });
  }
  return { ...machine, ...overrides };
}

/** A machine of which memory is saved, with 256 MiB, two processors and a disk of 1 GiB; gone when the test ends. */
export function machineToSave(t: TestContext, technique: Machine['technique']): Machine {
  const scratch = scratchDirectory('saved-memory');
  t.after(() => scratch[Symbol.dispose]());
  const image = { id: 'i' };
  const ids = { base: 0, count: 1 };
  const own = { id: 'a1', technique, ids, image, cgroup: 'x', memory: 256 * MIB };
  const machine = machineIn(scratch.path, own, {});
  return { ...machine, limits: { ...machine.limits, cpus: 1.5 } };
}

/** Has a guest's kernel end it, or kills the machine: the process of its handle, where `kill` says nothing else. */
export const endByKernel =
  (
    driver: DriverFixture['driver'],
    kill: (machine: Machine, pid: number) => unknown = (_, pid) => process.kill(pid, 'SIGKILL'),
  ): NonNullable<DriverFixture['end']> =>
  async (machine, handle, kind) => {
    if (kind === 'died') {
      await kill(machine, handle.pid);
      return;
    }
    const argv = ['sh', '-c', `sync; echo ${kind === 'poweroff' ? 'o' : 'b'} >/proc/sysrq-trigger`];
    const session = await driver.exec?.exec(machine, handle, { argv, env: {}, tty: false });
    session?.stdin.on('error', () => undefined).end();
    session?.exit.catch(() => undefined);
  };
