import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageFiles, Machine } from '../../src/drivers/driver.ts';
import { UmlDriver } from '../../src/drivers/uml/driver.ts';
import { probeUml } from '../../src/drivers/uml/probe.ts';
import { Cgroups } from '../../src/host/cgroups.ts';
import { OciRuntime } from '../../src/host/oci/runtime.ts';
import { openTap } from '../../src/host/tap.ts';
import type { DriverFixture } from '../conformance/drivers.ts';
import { endByKernel, machineIn } from './machines.ts';
import { scratchDirectory } from './scratch.ts';
import { NO_IMAGE, smallGuest } from './small-guest.ts';

const IDS = 0x7fd0_0000;

/** A UML driver with folders, cgroups and ids of its own. */
export function openUmlFixture(image: ImageFiles): DriverFixture {
  const scratch = scratchDirectory('uml');
  chmodSync(scratch.path, 0o711);
  const cgroups = new Cgroups();
  const parent = `mullion-test-uml-${process.pid}`;
  const make = (): UmlDriver =>
    new UmlDriver({
      runtime: new OciRuntime({ stateDirectory: join(scratch.path, 'oci'), layout: cgroups.layout }),
      openTap,
      cgroups,
      runDirectories: join(scratch.path, 'run'),
      probeCache: join(scratch.path, 'probe.json'),
    });
  const drivers = [make()];
  const driver = drivers[0] ?? make();
  let made = 0;
  return {
    driver,
    end: endByKernel(driver),
    remembersEnds: true,
    technique: 'kernel' as const,
    machine: async (overrides: Partial<Machine> = {}): Promise<Machine> => {
      made += 1;
      const id = `um${made}`;
      const ids = { base: IDS + made * 65_536, count: 65_536 };
      const own = {
        id,
        technique: 'kernel',
        ids,
        image,
        memory: 256 * 1024 ** 2,
        cgroup: `${parent}/${id}`,
      } as const;
      return machineIn(scratch.path, own, overrides);
    },
    reopen: () => {
      // A daemon's death closes its connections.
      for (const driver of drivers) driver.close();
      const driver = make();
      drivers.push(driver);
      return driver;
    },
    patience: { ready: 60_000, stop: 30_000 },
    close: async () => {
      for (const driver of drivers) driver.close();
      await cgroups.remove(parent);
      rmSync(scratch.path, { recursive: true, force: true });
    },
  };
}

/** Why no machine of this driver can run here, from its own probe; undefined when it can. */
export async function umlUnfit(): Promise<string | undefined> {
  const scratch = scratchDirectory('uml-probe');
  try {
    const { state, reason, evidence } = await probeUml(join(scratch.path, 'probe.json'), false);
    return state === 'healthy' ? undefined : [reason, ...evidence].join('; ');
  } finally {
    rmSync(scratch.path, { recursive: true, force: true });
  }
}

/** The same with the small guest, or why there is none. */
export async function openSmallUml(): Promise<DriverFixture | string> {
  const image = await smallGuest();
  return (await umlUnfit()) ?? (image === undefined ? NO_IMAGE : openUmlFixture(image));
}
