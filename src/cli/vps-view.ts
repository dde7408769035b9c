import type { Vps, VpsState } from '../contract/vps.ts';
import type { Tone } from './output/style.ts';

const TONES: Readonly<Record<VpsState, Tone>> = {
  creating: 'cyan',
  stopped: 'dim',
  starting: 'cyan',
  running: 'green',
  pausing: 'cyan',
  paused: 'yellow',
  stopping: 'cyan',
  restoring: 'cyan',
  migrating: 'cyan',
  deleting: 'cyan',
  error: 'red',
};
export const stateTone = (state: VpsState): Tone => TONES[state];

/** The state, with the health of a running one where it says more. */
export const stateText = (vps: Pick<Vps, 'state' | 'health'>): string =>
  vps.state === 'running' && (vps.health === 'starting' || vps.health === 'degraded')
    ? `running (${vps.health})`
    : vps.state;
