import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageFiles, Machine } from '../../src/drivers/driver.ts';
import { XenDriver } from '../../src/drivers/xen/driver.ts';
import { run } from '../../src/host/run.ts';
import type { DriverFixture } from '../conformance/drivers.ts';
import { endByKernel, machineIn } from './machines.ts';
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
      const ids = { base: 0, count: 65_536 };
      const own = {
        id,
        technique: 'para',
        ids,
        image,
        memory: 160 * 1024 ** 2,
        cgroup: `mullion-test-xen-${process.pid}/${id}`,
      } as const;
      return machineIn(scratch.path, own, overrides);
    },
    reopen: () => {
      // A daemon's death closes its connections.
      for (const one of drivers) one.close();
      const later = make();
      drivers.push(later);
      return later;
    },
    end: endByKernel(driver, ({ id }) => run(['xl', 'destroy', `${PREFIX}${id}`])),
    remembersEnds: true,
    patience: { ready: 180_000, stop: 60_000 },
    close: async () => {
      for (const one of drivers) one.close();
      rmSync(scratch.path, { recursive: true, force: true });
    },
  };
}
