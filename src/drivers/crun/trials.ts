import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Naming, vpsCgroup } from '../../core/naming.ts';
import type { Cgroups } from '../../host/cgroups.ts';
import type { OciRuntime } from '../../host/oci/runtime.ts';
import { endMakers } from './makers.ts';
import { unmountRoot } from './root.ts';

const PREFIX = 'probe-';
export const isTrial = (id: string): boolean => id.startsWith(PREFIX);

export interface TrialGround {
  readonly naming: Naming;
  readonly cgroups: Cgroups;
  readonly runtime: OciRuntime;
}

/** Of this process. */
const underWay = new Set<string>();

/** The id of a container by which it is tried what the host can; to be removed by `removeTrial`. */
export function beginTrial(): string {
  const id = `${PREFIX}${process.pid}-${Date.now().toString(36)}`;
  underWay.add(id);
  return id;
}

export const trialFolder = (naming: Naming, id: string): string => join(naming.stateDirectory, id);
export const trialPlaces = (folder: string) => ({
  root: join(folder, 'rootfs'),
  lower: join(folder, 'lower'),
  volume: join(folder, 'vol'),
});

/** Afterwards the host holds nothing of it, in whatever state it was. */
export async function removeTrial({ naming, cgroups, runtime }: TrialGround, id: string): Promise<void> {
  const folder = trialFolder(naming, id);
  const cgroup = vpsCgroup(naming, id);
  await endMakers(folder).catch(() => undefined);
  await runtime.delete(id, { force: true }).catch(() => undefined);
  await cgroups.killAll(cgroup).catch(() => undefined);
  await cgroups.remove(cgroup).catch(() => undefined);
  unmountRoot(trialPlaces(folder));
  rmSync(folder, { recursive: true, force: true });
  underWay.delete(id);
}

/** Removes those whose daemon was killed. */
export async function sweepTrials(ground: TrialGround): Promise<void> {
  const { naming, runtime } = ground;
  const folders = existsSync(naming.stateDirectory) ? readdirSync(naming.stateDirectory) : [];
  const found = new Set([...folders, ...(await runtime.list())].filter(isTrial));
  for (const id of found) if (!underWay.has(id)) await removeTrial(ground, id);
}
