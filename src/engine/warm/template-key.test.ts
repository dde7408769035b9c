import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_RATES } from '../../contract/rates.ts';
import { GIB, MIB } from '../../contract/sizes.ts';
import { type TemplateNeeds, templateKey } from './template-key.ts';

const NEEDS: TemplateNeeds = {
  project: 'default',
  imageId: 'i1',
  technique: 'full',
  limits: { cpus: 1, memory: 512 * MIB, disk: 4 * GIB, pids: 100, ...NO_RATES },
  basis: 'qemu 7.2 processor p',
};

test('a template serves one project, image, technique and size, and what its driver stands on', () => {
  const { limits } = NEEDS;
  const others: readonly TemplateNeeds[] = [
    { ...NEEDS, project: 'other' },
    { ...NEEDS, imageId: 'i2' },
    { ...NEEDS, technique: 'hardware' },
    { ...NEEDS, basis: 'qemu 7.3 processor p' },
    { ...NEEDS, limits: { ...limits, cpus: 1.5 } },
    { ...NEEDS, limits: { ...limits, memory: GIB } },
    { ...NEEDS, limits: { ...limits, disk: 5 * GIB } },
  ];
  const keys = [NEEDS, ...others].map(templateKey);
  assert.equal(new Set(keys).size, keys.length);
});

test('a share of a processor and the number of processes make no other template', () => {
  const limits = { ...NEEDS.limits, cpus: 0.5, pids: 7, memory: NEEDS.limits.memory + 10 };
  assert.equal(templateKey({ ...NEEDS, limits }), templateKey(NEEDS));
});
