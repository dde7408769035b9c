import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RestartPolicy } from '../contract/restart-policies.ts';
import { type EndKind, NO_REVIVAL, type Revival, revivalAfter, STEADY_MS } from './restart-policy.ts';

/** Milliseconds until the next start; undefined when there is none. */
function wait(kind: EndKind, policy: RestartPolicy, count = 0, ranMs = 0): number | undefined {
  const { due } = revivalAfter(kind, policy, { count, due: null }, ranMs, 0);
  return due === null ? undefined : Date.parse(due);
}

describe('the restart policy', () => {
  test('starts again what rebooted, at once and whatever the policy', () => {
    for (const policy of ['no', 'on-failure', 'always'] as const) assert.equal(wait('reboot', policy), 0);
  });

  test('starts again what died, unless the policy is no', () => {
    assert.deepEqual(
      (['no', 'on-failure', 'always'] as const).map((policy) => wait('died', policy)),
      [undefined, 1_000, 1_000],
    );
  });

  test('leaves off what switched itself off, unless the policy is always', () => {
    assert.deepEqual(
      (['no', 'on-failure', 'always'] as const).map((policy) => wait('poweroff', policy)),
      [undefined, undefined, 1_000],
    );
  });

  test('waits twice as long each time, at most five minutes, and a reboot loop waits too', () => {
    assert.deepEqual(
      [0, 1, 2, 3, 30].map((count) => wait('died', 'always', count)),
      [1_000, 2_000, 4_000, 8_000, 300_000],
    );
    assert.deepEqual(
      [0, 1, 2, 30].map((count) => wait('reboot', 'no', count)),
      [0, 1_000, 2_000, 300_000],
    );
  });

  test('forgets earlier ends of a guest that ran for a minute', () => {
    let revival: Revival = NO_REVIVAL;
    for (let end = 0; end < 5; end++) revival = revivalAfter('died', 'always', revival, 10, 0);
    assert.equal(revival.count, 5);
    assert.equal(revivalAfter('died', 'always', revival, STEADY_MS, 0).count, 1);
  });
});
