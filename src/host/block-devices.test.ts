import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isHeld } from './block-devices.ts';

test('a disk lies below others when one of them holds it or a partition of it', () => {
  const root = mkdtempSync(join(tmpdir(), 'block-devices-'));
  try {
    const disk = (name: string, holders: Readonly<Record<string, readonly string[]>>): string => {
      for (const [part, names] of Object.entries(holders)) {
        mkdirSync(join(root, name, part, 'holders'), { recursive: true });
        if (part !== '.') writeFileSync(join(root, name, part, 'partition'), '1');
        for (const holder of names) mkdirSync(join(root, name, part, 'holders', holder));
      }
      return join(root, name);
    };
    assert.equal(isHeld(disk('plain', { '.': [], plain1: [] })), false);
    assert.equal(isHeld(disk('whole', { '.': ['dm-0'] })), true);
    assert.equal(isHeld(disk('parted', { '.': [], parted1: [], parted2: ['dm-0', 'dm-1'] })), true);
    assert.equal(isHeld(join(root, 'absent')), false);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
