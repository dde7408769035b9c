import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { probeGuestImage } from './probe-guest.ts';

test('the firmware image of the probe is what its assembly source says', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'probe-guest-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const source = new URL('probe-guest.S', import.meta.url).pathname;
  const assembled = spawnSync('as', ['--64', '-o', join(folder, 'guest.o'), source]);
  if (assembled.error !== undefined) return t.skip('the assembler `as` (package binutils) is not installed');
  assert.equal(assembled.status, 0, assembled.stderr.toString());
  const argv = ['-O', 'binary', '-j', '.text', join(folder, 'guest.o'), join(folder, 'guest.bin')];
  assert.equal(spawnSync('objcopy', argv).status, 0);
  const code = readFileSync(join(folder, 'guest.bin'));
  assert.deepEqual(probeGuestImage().subarray(0xfe00, 0xfe00 + code.length), code);
});

test('the firmware image is 64 KiB and jumps from the reset vector to its code', () => {
  const image = probeGuestImage();
  assert.equal(image.length, 65_536);
  assert.equal((0xfff3 + image.readInt16LE(0xfff1)) & 0xffff, 0xfe00);
});
