import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MullionError } from '../contract/errors.ts';
import { VPS_STATES } from '../contract/vps.ts';
import { LIFECYCLE_EVENTS, lifecycleDiagram, move, requireMove } from './lifecycle.ts';

describe('the lifecycle', () => {
  test('every pair of state and event leads somewhere or is refused with a remedy', () => {
    for (const state of VPS_STATES) {
      for (const event of LIFECYCLE_EVENTS) {
        const outcome = move(state, event);
        if (outcome !== undefined) {
          assert.equal(requireMove('web', state, event), outcome);
          continue;
        }
        assert.throws(
          () => requireMove('web', state, event),
          (error: unknown) =>
            error instanceof MullionError &&
            error.code === 'wrong_state' &&
            error.message.includes(`state ${state}`) &&
            error.remedy.length > 10,
        );
      }
    }
  });

  test('whatever the state, a VPS can be deleted by force, and what fails is in error', () => {
    for (const state of VPS_STATES) {
      assert.equal(move(state, 'deleteByForce'), 'deleting');
      assert.equal(move(state, 'failed'), 'error');
    }
  });

  test('every state can be left, and from every state a VPS can become gone', () => {
    for (const start of VPS_STATES) {
      const reached = new Set<string>([start]);
      const waiting = [start];
      for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
        for (const event of LIFECYCLE_EVENTS) {
          const outcome = move(state, event);
          if (outcome === undefined || reached.has(outcome)) continue;
          reached.add(outcome);
          if (outcome !== 'gone') waiting.push(outcome);
        }
      }
      assert.ok(reached.has('gone'), start);
    }
  });

  test('what runs is not deleted without force', () => {
    assert.equal(move('running', 'delete'), undefined);
    assert.equal(move('paused', 'delete'), undefined);
    assert.equal(move('stopped', 'delete'), 'deleting');
  });

  test('the diagram shows every move that changes the state', () => {
    const diagram = lifecycleDiagram();
    assert.match(diagram, /^stateDiagram-v2\n {2}\[\*\] --> creating: launch\n/);
    for (const state of VPS_STATES) assert.ok(diagram.includes(`  ${state} --> `), state);
    assert.match(diagram, /deleting --> \[\*\]: deleted/);
    assert.match(diagram, /running --> pausing: pause\n/);
  });
});
