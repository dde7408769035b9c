import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_RATES } from '../contract/rates.ts';
import { planErrand } from './errand.ts';
import type { Desired, Observed } from './plan.ts';
import { describeStep } from './step-text.ts';

const DESIRED: Desired = {
  goal: 'running',
  limits: { cpus: 1, memory: 1, disk: 1, pids: 1, ...NO_RATES },
  volumeLimit: 10,
  quota: true,
  networked: true,
  live: {
    ...{ cpus: true, memory: true, disk: true, pids: true },
    ...{ diskReadRate: true, diskWriteRate: true, diskReadOps: true, diskWriteOps: true },
    ...{ networkInRate: true, networkOutRate: true },
  },
  shutdownMs: 1000,
};
const RUNNING: Observed = { recorded: true, volume: 'filled', machine: 'running', network: 'connected' };
const STOPPED: Observed = { ...RUNNING, machine: 'none', network: 'none' };

test('a snapshot is one step, and knows whether a guest has to be brought to rest', () => {
  const errand = { kind: 'createSnapshot', snapshot: 's1' } as const;
  assert.deepEqual(planErrand(errand, DESIRED, RUNNING), [
    [{ type: 'createSnapshot', snapshot: 's1', running: true, stateful: false }],
  ]);
  for (const observed of [STOPPED, { ...RUNNING, machine: 'paused' } as const]) {
    assert.deepEqual(planErrand(errand, DESIRED, observed), [
      [{ type: 'createSnapshot', snapshot: 's1', running: false, stateful: false }],
    ]);
  }
});

test('a restore kills what runs on the data before it changes them', () => {
  const errand = { kind: 'restoreSnapshot', snapshot: 's1' } as const;
  const types = (observed: Observed): string[] =>
    planErrand(errand, DESIRED, observed)
      .flat()
      .map(({ type }) => type);
  assert.deepEqual(types(RUNNING), ['remove', 'detach', 'restoreSnapshot']);
  assert.deepEqual(types({ ...RUNNING, machine: 'remains' }), ['remove', 'detach', 'restoreSnapshot']);
  assert.deepEqual(types(STOPPED), ['restoreSnapshot']);
});

test('every step of an errand can be told to people', () => {
  for (const kind of ['createSnapshot', 'restoreSnapshot', 'deleteSnapshot'] as const) {
    for (const step of planErrand({ kind, snapshot: 's1' }, DESIRED, RUNNING).flat()) {
      assert.match(describeStep(step), /^[a-z].+/);
    }
  }
});
