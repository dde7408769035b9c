import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from '../../test/support/engine-world.ts';
import type { Driver } from '../drivers/driver.ts';
import { Techniques } from './techniques.ts';

test('a technique is probed once, anew when that is asked for, and once for all who ask at a time', async () => {
  using world = new World();
  const fake = world.driver();
  const asked: boolean[] = [];
  const driver: Driver = {
    ...fake,
    probe: async (technique, anew = false) => {
      asked.push(anew);
      return fake.probe(technique, anew);
    },
  };
  const techniques = new Techniques(new Map([['os', driver]]));
  await Promise.all([techniques.all(false), techniques.report('os')]);
  assert.deepEqual(asked, [false]);
  await Promise.all([techniques.all(true), techniques.all(true)]);
  assert.deepEqual(asked, [false, true]);
  await techniques.all(true);
  await techniques.all(false);
  assert.deepEqual(asked, [false, true, true]);
});
