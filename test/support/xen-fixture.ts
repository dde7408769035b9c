import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageFiles, Machine } from '../../src/drivers/driver.ts';
import { XenDriver } from '../../src/drivers/xen/driver.ts';
import { run } from '../../src/host/run.ts';
import type { DriverFixture } from '../conformance/drivers.ts';
import { scratchDirectory } from './scratch.ts';

const PREFIX = `mullion-test-${process.pid}-`;

/** A Xen driver with folders and domain names of its own. The host must be domain 0, its toolstack up. */
export function openXenFixture(image: ImageFiles): DriverFixture {
  const scratch = scratchDirectory('xen');
  chmodSync(scratch.path, 0o711);
  const make = (): XenDriver =>
    new XenDriver({
      domainPrefix: PREFIX,
      runDirectories: join(scratch.path, 'run'),
      probeCache: join(scratch.path, 'probe.json'),
    });
  const drivers = [make()];
  const driver = drivers[0] ?? make();
  let made = 0;
  return {
    driver,
    technique: 'para' as const,
    machine: async (overrides: Partial<Machine> = {}): Promise<Machine> => {
      made += 1;
      const id = `vm${made}`;
      const folder = join(scratch.path, id);
      const runDirectory = join(scratch.path, 'run', id);
      for (const path of [folder, join(folder, 'log'), join(folder, 'volume'), runDirectory]) {
        mkdirSync(path, { recursive: true, mode: 0o711 });
      }
      return {
        id,
        name: id,
        project: 'default',
        technique: 'para',
        limits: { cpus: 1, memory: 160 * 1024 ** 2, disk: 1024 ** 3, pids: 256 },
        ids: { base: 0, count: 65_536 },
        volume: join(folder, 'volume'),
        image,
        runDirectory,
        logDirectory: join(folder, 'log'),
        cgroup: `mullion-test-xen-${process.pid}/${id}`,
        nics: [],
        machineId: '0'.repeat(32),
        env: {},
        sshKeys: [],
        ...overrides,
      };
    },
    reopen: () => {
      // A daemon's death closes its connections.
      for (const one of drivers) one.close();
      const later = make();
      drivers.push(later);
      return later;
    },
    end: async (machine, handle, kind) => {
      if (kind === 'died') await run(['xl', 'destroy', `${PREFIX}${machine.id}`]);
      else {
        const argv = ['sh', '-c', `sync; echo ${kind === 'poweroff' ? 'o' : 'b'} >/proc/sysrq-trigger`];
        const session = await driver.exec?.exec(machine, handle, { argv, env: {}, tty: false });
        session?.stdin.on('error', () => undefined).end();
        session?.exit.catch(() => undefined);
      }
    },
    remembersEnds: true,
    patience: { ready: 180_000, stop: 60_000 },
    close: async () => {
      for (const one of drivers) one.close();
      rmSync(scratch.path, { recursive: true, force: true });
    },
  };
}
