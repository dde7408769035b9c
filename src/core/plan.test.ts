import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NO_RATES } from '../contract/rates.ts';
import {
  applyStep,
  beginStep,
  type Desired,
  type Goal,
  type LiveLimits,
  NOTHING,
  type Observed,
  plan,
  reverseOf,
  type Step,
  waitingForRestart,
} from './plan.ts';
import { describeStep } from './step-text.ts';

const limits = fc.record({
  cpus: fc.constantFrom(1, 2),
  memory: fc.constantFrom(1, 2),
  disk: fc.constantFrom(1, 2),
  pids: fc.constantFrom(1, 2),
  diskReadRate: fc.constantFrom(0, 2),
  diskWriteRate: fc.constant(0),
  diskReadOps: fc.constant(0),
  diskWriteOps: fc.constant(0),
  networkInRate: fc.constantFrom(0, 2),
  networkOutRate: fc.constant(0),
});
const ALL_LIVE: LiveLimits = {
  ...{ cpus: true, memory: true, disk: true, pids: true },
  ...{ diskReadRate: true, diskWriteRate: true, diskReadOps: true, diskWriteOps: true },
  ...{ networkInRate: true, networkOutRate: true },
};
const desired: fc.Arbitrary<Desired> = fc.record({
  goal: fc.constantFrom<Goal>('absent', 'stopped', 'running', 'paused'),
  limits,
  volumeLimit: fc.constantFrom(10, 20),
  quota: fc.boolean(),
  networked: fc.boolean(),
  live: fc
    .record({ cpus: fc.boolean(), memory: fc.boolean(), disk: fc.boolean(), diskReadRate: fc.boolean() })
    .map((some) => ({ ...ALL_LIVE, ...some })),
  shutdownMs: fc.constantFrom(0, 1000),
  copyOf: fc.constantFrom(undefined, { vps: 'other' }, { vps: 'other', snapshot: 's1' }),
});
/** Everything that a crash may leave, legal or not. */
const observed: fc.Arbitrary<Observed> = fc.record({
  recorded: fc.constant(true),
  volume: fc.constantFrom('none', 'partial', 'filled'),
  machine: fc.constantFrom('none', 'remains', 'prepared', 'running', 'paused'),
  network: fc.constantFrom('none', 'admitted', 'connected'),
  volumeLimit: fc.option(fc.constantFrom(10, 20), { nil: undefined }),
  limits: fc.option(limits, { nil: undefined }),
});

const follow = (from: Observed, stages: readonly (readonly Step[])[]): Observed =>
  stages.flat().reduce(applyStep, from);
const types = (stages: readonly (readonly Step[])[]): string[] => stages.flat().map(({ type }) => type);

const BASE: Desired = {
  goal: 'running',
  limits: { cpus: 1, memory: 1, disk: 1, pids: 1, ...NO_RATES },
  volumeLimit: 10,
  quota: true,
  networked: true,
  live: ALL_LIVE,
  shutdownMs: 1000,
};
const RUNNING: Observed = {
  recorded: true,
  volume: 'filled',
  machine: 'running',
  network: 'connected',
  volumeLimit: 10,
  limits: BASE.limits,
};

describe('the plan', () => {
  test('leads from anything that is to anything that is wanted', () => {
    fc.assert(
      fc.property(desired, observed, (want, is) => {
        const end = follow(is, plan(want, is));
        switch (want.goal) {
          case 'absent':
            assert.deepEqual([end.volume, end.machine, end.network], ['none', 'none', 'none']);
            assert.equal(end.recorded, false);
            break;
          case 'stopped':
            assert.deepEqual([end.volume, end.machine, end.network], ['filled', 'none', 'none']);
            break;
          case 'running':
          case 'paused':
            assert.deepEqual([end.machine, end.recorded], [want.goal, true]);
            if (want.networked) assert.equal(end.network, 'connected');
        }
      }),
    );
  });

  test('is empty once its goal is reached', () => {
    fc.assert(
      fc.property(desired, observed, (want, is) => {
        assert.deepEqual(plan(want, follow(is, plan(want, is))), []);
      }),
    );
  });

  test('leads there from where a crash inside any of its steps leaves it', () => {
    fc.assert(
      fc.property(desired, observed, fc.nat(), (want, is, at) => {
        const steps = plan(want, is).flat();
        const before = steps.slice(0, at % (steps.length + 1)).reduce(applyStep, is);
        const next = steps[at % (steps.length + 1)];
        const crashed = next === undefined ? before : beginStep(before, next);
        assert.deepEqual(plan(want, follow(crashed, plan(want, crashed))), []);
      }),
    );
  });

  test('never runs a guest whose data or network is missing, and never changes data under a guest', () => {
    fc.assert(
      fc.property(desired, observed, (want, is) => {
        let state = is;
        for (const step of plan(want, is).flat()) {
          const alive = state.machine === 'running' || state.machine === 'paused';
          if (step.type === 'start') {
            assert.equal(state.volume, 'filled');
            assert.equal(state.machine, 'prepared');
            if (want.networked) assert.equal(state.network, 'connected');
          }
          if (step.type === 'prepare') assert.equal(state.machine, 'none');
          if (
            ['createVolume', 'cloneVolume', 'populate', 'individualize', 'deleteVolume'].includes(step.type)
          )
            assert.ok(!alive);
          if (step.type === 'createVolume' || step.type === 'cloneVolume') assert.equal(state.volume, 'none');
          state = applyStep(state, step);
        }
      }),
    );
  });

  test('of a launch reserves the network while it prepares the machine', () => {
    const stages = plan(BASE, { ...NOTHING, recorded: true });
    assert.deepEqual(
      stages.map((stage) => stage.map(({ type }) => type)),
      [['createVolume'], ['populate'], ['admit', 'prepare'], ['connect'], ['start']],
    );
  });

  test('of a deletion kills at once, of a stop asks first', () => {
    assert.deepEqual(types(plan({ ...BASE, goal: 'absent' }, RUNNING)), [
      'remove',
      'detach',
      'deleteVolume',
      'forget',
    ]);
    assert.deepEqual(types(plan({ ...BASE, goal: 'stopped' }, { ...RUNNING, machine: 'paused' })), [
      'resume',
      'shutdown',
      'remove',
      'detach',
    ]);
    assert.deepEqual(types(plan({ ...BASE, goal: 'stopped', shutdownMs: 0 }, RUNNING)), ['remove', 'detach']);
  });

  test('changes only the live limits of what runs, and names the others', () => {
    const want: Desired = {
      ...BASE,
      limits: { cpus: 2, memory: 2, disk: 2, pids: 2, ...NO_RATES },
      volumeLimit: 20,
      live: { ...ALL_LIVE, memory: false, pids: false },
    };
    assert.deepEqual(plan(want, RUNNING), [
      [{ type: 'setVolumeLimit', limit: 20 }],
      [{ type: 'setLimits', limits: { cpus: 2, memory: 1, disk: 2, pids: 1, ...NO_RATES } }],
    ]);
    assert.deepEqual(waitingForRestart(want, RUNNING), ['memory', 'pids']);
    assert.deepEqual(waitingForRestart(want, { ...RUNNING, machine: 'none', limits: undefined }), []);
  });

  test('changes rates without the other limits, and those of a disk only where they change while it runs', () => {
    const rates = { ...NO_RATES, diskWriteRate: 5, networkOutRate: 7 };
    const want: Desired = { ...BASE, limits: { ...BASE.limits, ...rates } };
    assert.deepEqual(plan(want, RUNNING), [[{ type: 'setRates', rates }]]);
    const waiting: Desired = { ...want, live: { ...ALL_LIVE, diskWriteRate: false } };
    assert.deepEqual(plan(waiting, RUNNING), [
      [{ type: 'setRates', rates: { ...NO_RATES, networkOutRate: 7 } }],
    ]);
    assert.deepEqual(waitingForRestart(waiting, RUNNING), ['diskWriteRate']);
  });

  test('undone in reverse order gives back what was', () => {
    fc.assert(
      fc.property(desired, (want) => {
        const from: Observed = { ...NOTHING, recorded: true };
        const undo: Step[] = [];
        let state = from;
        for (const step of plan({ ...want, goal: 'running' }, from).flat()) {
          const reverse = reverseOf(step, state);
          if (reverse !== undefined) undo.unshift(reverse);
          state = applyStep(state, step);
        }
        const back = undo.reduce(applyStep, state);
        assert.deepEqual([back.volume, back.machine, back.network], ['none', 'none', 'none']);
      }),
    );
  });

  test('every step can be told to people', () => {
    fc.assert(
      fc.property(desired, observed, (want, is) => {
        for (const step of plan(want, is).flat()) assert.match(describeStep(step), /^[a-z].+/);
      }),
    );
  });
});
