import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { vpsLogDirectory, vpsRunDirectory } from '../core/naming.ts';
import type { Driver } from '../drivers/driver.ts';
import { bounded } from './bounded.ts';
import type { Context } from './context.ts';
import { strangerMachine } from './machine.ts';

/** Ids as `launch` makes them: nothing else below our folders is touched. */
const ID = /^[0-9a-f]{12}$/;

/**
 * Removes machines, volumes and folders of VPSs that have no record. What cannot be removed is logged. A store that
 * knows of nothing yet is no witness: then all is kept.
 */
export async function removeLeftovers(
  context: Context,
  volumes: readonly string[],
  held: ReadonlyMap<Driver, readonly string[]>,
): Promise<void> {
  const { state, deps, timings } = context;
  if (state.vps.size === 0 && state.tasks.size === 0) {
    // A new store beside old data: what nobody owns may be what somebody lost.
    if (volumes.length > 0) deps.logger.warn('the store is new, the volumes are kept', { volumes });
    return;
  }
  const isStranger = (id: string): boolean => state.vps.get(id) === undefined;
  const attempt = async (what: string, id: string, work: Promise<void>): Promise<void> => {
    try {
      await bounded(what, timings.step, work);
      deps.logger.info('removed what nobody owned', { what, vps: id });
    } catch (failure) {
      deps.logger.error('cannot remove what nobody owns', { what, vps: id, failure });
    }
  };
  for (const [driver, ids] of held) {
    const [technique] = driver.techniques;
    if (technique === undefined) continue;
    for (const id of ids.filter(isStranger)) {
      await attempt(
        'remove a machine',
        id,
        driver.remove(strangerMachine(context, id, technique), undefined),
      );
    }
  }
  for (const id of volumes.filter((id) => isStranger(id) && state.templates.get(id) === undefined)) {
    await attempt('delete a volume', id, deps.pool.deleteVolume(id));
  }
  for (const parent of [
    dirname(vpsLogDirectory(deps.naming, 'x')),
    dirname(vpsRunDirectory(deps.naming, 'x')),
  ]) {
    for (const id of (await foldersIn(parent)).filter((name) => ID.test(name) && isStranger(name))) {
      await attempt('delete a folder', id, rm(join(parent, id), { recursive: true, force: true }));
    }
  }
}

/** What `removeLeftovers` would remove now, for people. */
export async function findLeftovers(context: Context): Promise<string[]> {
  const isStranger = (id: string): boolean =>
    context.state.vps.get(id) === undefined && !context.scratchVolumes.has(id);
  const volumes = (await context.deps.pool.listVolumes())
    .filter((id) => isStranger(id) && context.state.templates.get(id) === undefined)
    .map((id) => `volume ${id}`);
  const machines: string[] = [];
  for (const driver of new Set(context.deps.drivers.values())) {
    const ids = await bounded('list machines', context.timings.step, driver.leftovers());
    machines.push(...ids.filter(isStranger).map((id) => `machine ${id} of ${driver.name}`));
  }
  return [...machines, ...volumes];
}

async function foldersIn(parent: string): Promise<string[]> {
  try {
    return await readdir(parent);
  } catch {
    return [];
  }
}
