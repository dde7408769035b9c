import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Machine } from '../driver.ts';
import type { AgentChannel } from '../guest-agent/agent-channel.ts';
import { runInGuest } from '../guest-agent/agent-commands.ts';
import { machinePaths } from './paths.ts';

/** Whether a prepared machine is to go on from saved memory, and does not yet. */
export const isAsleep = (machine: Machine): boolean => existsSync(machinePaths(machine).asleep);

/** It goes on now; its clock still shows the time at which it fell asleep. */
export async function beginAwake(machine: Machine): Promise<void> {
  const { asleep, clock } = machinePaths(machine);
  if (isAsleep(machine)) await rename(asleep, clock);
}

/** It goes on, with its clock right. */
export const stayAwake = (machine: Machine): Promise<void> =>
  rm(machinePaths(machine).asleep, { force: true });

/** Puts the clock of a machine right that was asleep. */
export async function settleClock(machine: Machine, agent: AgentChannel): Promise<void> {
  const { clock } = machinePaths(machine);
  if (!existsSync(clock)) return;
  await runInGuest(agent, ['/bin/date', '-u', '-s', `@${(Date.now() / 1000).toFixed(3)}`]);
  // A guest without that program keeps its clock: nothing more can be done from here.
  await rm(clock, { force: true });
}
