import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasSteadyCounter } from './virtualization.ts';

test("a processor's counter is steady when its speed is constant and it never stops", () => {
  assert.equal(hasSteadyCounter('processor\t: 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc msr\n'), true);
  assert.equal(hasSteadyCounter('processor\t: 0\nflags\t\t: fpu tsc constant_tsc msr\n'), false);
  assert.equal(hasSteadyCounter('processor\t: 0\nFeatures\t: fp asimd\n'), false);
});
