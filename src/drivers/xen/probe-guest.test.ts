import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { probeGuestKernel } from './probe-guest.ts';

test('the kernel of the probe is what its assembly source says', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'probe-guest-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const source = new URL('probe-guest.S', import.meta.url).pathname;
  const assembled = spawnSync('as', ['--64', '-o', join(folder, 'guest.o'), source]);
  if (assembled.error !== undefined) return t.skip('the assembler `as` (package binutils) is not installed');
  assert.equal(assembled.status, 0, assembled.stderr.toString());
  const argv = ['-O', 'binary', '-j', '.text', join(folder, 'guest.o'), join(folder, 'guest.bin')];
  assert.equal(spawnSync('objcopy', argv).status, 0);
  assert.deepEqual(probeGuestKernel().subarray(0x1000), readFileSync(join(folder, 'guest.bin')));
});

test('the kernel of the probe is an ELF file whose entry is the start of its one segment', () => {
  const kernel = probeGuestKernel();
  assert.equal(kernel.toString('latin1', 1, 4), 'ELF');
  const segment = Number(kernel.readBigUInt64LE(32));
  assert.equal(kernel.readBigUInt64LE(24), kernel.readBigUInt64LE(segment + 16));
  assert.equal(Number(kernel.readBigUInt64LE(segment + 8)), 0x1000);
  assert.ok(kernel.includes('xen-3.0'));
});
