import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NAME_PATTERN } from '../contract/names.ts';
import { makeUpName } from './made-up-names.ts';
import { addSample, rateOf, type Sample, secondsLeft } from './progress.ts';

describe('progress', () => {
  test('the rate is that of the last ten seconds', () => {
    let samples: Sample[] = [];
    for (let second = 0; second <= 30; second++) {
      samples = addSample(samples, {
        at: second * 1000,
        done: second < 20 ? second : 20 + (second - 20) * 100,
      });
    }
    assert.equal(rateOf(samples), 100);
    assert.equal(secondsLeft(1020, 2000, 100), 10);
  });

  test('nothing is claimed that cannot be told', () => {
    assert.equal(rateOf([]), undefined);
    assert.equal(rateOf([{ at: 5, done: 1 }]), undefined);
    assert.equal(secondsLeft(1, undefined, 5), undefined);
    assert.equal(secondsLeft(1, 10, 0), undefined);
    assert.equal(secondsLeft(20, 10, 5), 0);
  });

  test('work that starts over is measured anew, and samples stay few', () => {
    assert.deepEqual(addSample([{ at: 0, done: 50 }], { at: 1, done: 2 }), [{ at: 1, done: 2 }]);
    let samples: Sample[] = [];
    for (let at = 0; at < 5000; at++) samples = addSample(samples, { at, done: at });
    assert.ok(samples.length <= 64);
    assert.equal(rateOf(samples), 1000);
  });
});

describe('a made-up name', () => {
  test('is a valid name that is not taken', () => {
    const taken = new Set<string>();
    for (let index = 0; index < 2000; index++) {
      const name = makeUpName((candidate) => taken.has(candidate));
      assert.match(name, NAME_PATTERN);
      assert.ok(!taken.has(name));
      taken.add(name);
    }
  });
});
