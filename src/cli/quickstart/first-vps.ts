import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../client/client.ts';
import { MullionError } from '../../contract/error-table.ts';
import type { Vps, VpsState } from '../../contract/vps.ts';
import { followTask } from './follow-task.ts';
import { FIRST_IMAGE } from './image.ts';
import { changed, found, type Report, type Setup, type Step, type StepResult } from './step.ts';

export const FIRST_VPS = 'first';
const SETTLE_MS = 120_000;
const MOVING: ReadonlySet<VpsState> = new Set<VpsState>([
  'creating',
  'starting',
  'pausing',
  'stopping',
  'restoring',
  'migrating',
  'deleting',
]);

/** Launches the first VPS, or starts it where it is stopped. One that never ran is made anew; others keep their data. */
export const firstVpsStep: Step = {
  name: `VPS ${FIRST_VPS}`,
  run: async (setup, report) => {
    const vps = await settled(setup.client, report);
    if (vps === undefined) return launch(setup, report);
    if (vps.state === 'running') return found(`runs, ${describe(vps)}`);
    if (vps.state === 'paused') return found('is paused, and left so: go on with mullion resume first');
    if (vps.state === 'error' && vps.startedAt === null) {
      const task = await setup.client.call('vps.delete', {
        params: { name: FIRST_VPS },
        query: { force: 'true' },
      });
      await followTask(setup.client, task, report, setup.signal);
      return launch(setup, report);
    }
    const task = await setup.client.call('vps.start', { params: { name: FIRST_VPS } });
    await followTask(setup.client, task, report, setup.signal);
    return changed('started');
  },
};

async function launch({ client, signal }: Setup, report: Report): Promise<StepResult> {
  const task = await client.call('vps.launch', { body: { image: FIRST_IMAGE, name: FIRST_VPS }, signal });
  await followTask(client, task, report, signal);
  return changed(`launched, ${describe(await client.call('vps.info', { params: { name: FIRST_VPS } }))}`);
}

const describe = (vps: Vps): string => `technique ${vps.technique}, ${vps.addresses[0] ?? 'no address'}`;

/** The VPS once nothing is under way with it; undefined when there is none. */
async function settled(client: Client, report: Report): Promise<Vps | undefined> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const vps = (await client.call('vps.list')).find(({ name }) => name === FIRST_VPS);
    if (vps === undefined || !MOVING.has(vps.state)) return vps;
    if (performance.now() > deadline) {
      throw new MullionError('timeout', `The VPS ${FIRST_VPS} has been ${vps.state} for two minutes.`, {
        remedy: `Look at it with: mullion info ${FIRST_VPS}`,
      });
    }
    report({ message: vps.state });
    await sleep(200);
  }
}
