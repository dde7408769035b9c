import { chmodSync, existsSync, globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageFiles, Machine } from '../../src/drivers/driver.ts';
import { QemuDriver } from '../../src/drivers/qemu/driver.ts';
import { hierarchyRoots } from '../../src/host/cgroup-layout.ts';
import { Cgroups } from '../../src/host/cgroups.ts';
import { OciRuntime } from '../../src/host/oci/runtime.ts';
import { openTap } from '../../src/host/tap.ts';
import type { DriverFixture } from '../conformance/drivers.ts';
import { FOREIGN_UP, foreignGuest } from './foreign-guest.ts';
import { endByKernel, machineIn } from './machines.ts';
import { scratchDirectory } from './scratch.ts';

const IDS = 0x7fe0_0000;

const PARENT = 'mullion-test-qemu-';

/** Kills the machines of test runs that were killed themselves: their groups bear the pid of the run. */
function sweepAbandoned(cgroups: Cgroups): void {
  const groups = new Set(
    hierarchyRoots(cgroups.layout).flatMap((root) => globSync(`${PARENT}*`, { cwd: root })),
  );
  for (const group of groups) {
    if (existsSync(`/proc/${group.slice(PARENT.length)}`)) continue;
    for (const id of cgroups.list(group)) {
      for (const pid of cgroups.processes(`${group}/${id}`)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended by itself.
        }
      }
    }
    cgroups.remove(group).catch(() => undefined);
  }
}

/** Of a host whose processor is emulated itself, where hardware is what the suite runs. */
export interface HardwareOptions {
  readonly technique: 'hardware';
  /** A guest that boots by its own loader: `foreignGuest`, made where its tools are. */
  readonly foreign: ImageFiles;
  readonly patience: DriverFixture['patience'];
}

/** A QEMU driver with folders, cgroups and ids of its own. */
export function openQemuFixture(image: ImageFiles, hardware?: HardwareOptions): DriverFixture {
  const technique = hardware?.technique ?? 'full';
  const scratch = scratchDirectory('qemu');
  chmodSync(scratch.path, 0o711);
  const cgroups = new Cgroups();
  sweepAbandoned(cgroups);
  const parent = `${PARENT}${process.pid}`;
  const make = (): QemuDriver =>
    new QemuDriver({
      runtime: new OciRuntime({ stateDirectory: join(scratch.path, 'oci'), layout: cgroups.layout }),
      openTap,
      maximumCpus: 2,
      cgroups,
      runDirectories: join(scratch.path, 'run'),
      probeCache: join(scratch.path, 'probe.json'),
    });
  const drivers = [make()];
  const driver = drivers[0] ?? make();
  let made = 0;
  let foreign = hardware === undefined ? undefined : Promise.resolve(hardware.foreign);
  const machine = async (overrides: Partial<Machine> = {}): Promise<Machine> => {
    made += 1;
    const id = `vm${made}`;
    const ids = { base: IDS + made * 65_536, count: 65_536 };
    const own = {
      id,
      technique,
      ids,
      image,
      memory: 256 * 1024 ** 2,
      cgroup: `${parent}/${id}`,
    } as const;
    return machineIn(scratch.path, own, overrides);
  };
  return {
    driver,
    end: endByKernel(driver),
    remembersEnds: true,
    technique,
    machine,
    foreign: {
      machine: async () => {
        foreign ??= foreignGuest(image, scratch.path);
        return machine({ image: await foreign });
      },
      up: FOREIGN_UP,
    },
    reopen: () => {
      // A daemon's death closes its connections.
      for (const driver of drivers) driver.close();
      const driver = make();
      drivers.push(driver);
      return driver;
    },
    patience: hardware?.patience ?? { ready: 60_000, stop: 30_000 },
    close: async () => {
      for (const driver of drivers) driver.close();
      await cgroups.remove(parent);
      rmSync(scratch.path, { recursive: true, force: true });
    },
  };
}
