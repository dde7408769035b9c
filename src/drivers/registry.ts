import type { DriverName, Technique } from '../contract/techniques.ts';
import { TECHNIQUE_FACTS, TECHNIQUES } from '../contract/techniques.ts';
import type { Naming } from '../core/naming.ts';
import type { Cgroups } from '../host/cgroups.ts';
import type { UserNamespaces } from '../host/user-namespaces.ts';
import { createCrunDriver } from './crun/driver.ts';
import type { GuestViews } from './crun/view/guest-views.ts';
import type { Driver } from './driver.ts';
import { createFakeDriver } from './fake/driver.ts';
import { createQemuDriver } from './qemu/driver.ts';
import { createUmlDriver } from './uml/driver.ts';
import { createXenDriver } from './xen/driver.ts';

/** What every driver is made from. */
export interface DriverDeps {
  readonly naming: Naming;
  readonly cgroups: Cgroups;
  readonly userNamespaces: UserNamespaces;
  readonly views: GuestViews;
  /** Whether busy containers leave processors to others. */
  readonly keepApart: boolean;
}

/** One line a driver. */
const FACTORIES: Readonly<Partial<Record<DriverName, (deps: DriverDeps) => Driver>>> = {
  crun: createCrunDriver,
  qemu: createQemuDriver,
  uml: createUmlDriver,
  xen: createXenDriver,
  fake: createFakeDriver,
};

/**
 * The driver of each technique: its usual one, or the one that `chosen` names. A technique whose driver this version
 * does not have is absent.
 */
export function createDrivers(
  deps: DriverDeps,
  chosen: Readonly<Partial<Record<Technique, DriverName>>>,
): Map<Technique, Driver> {
  const made = new Map<DriverName, Driver>();
  const drivers = new Map<Technique, Driver>();
  for (const technique of TECHNIQUES) {
    const name = chosen[technique] ?? TECHNIQUE_FACTS[technique].driver;
    const driver = made.get(name) ?? FACTORIES[name]?.(deps);
    if (driver === undefined || !driver.techniques.includes(technique)) continue;
    made.set(name, driver);
    drivers.set(technique, driver);
  }
  return drivers;
}
