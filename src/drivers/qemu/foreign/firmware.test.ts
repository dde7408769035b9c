import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chooseFirmware, firmwareOf } from './firmware.ts';

const reader = (content: Buffer) => async (at: number, length: number) => content.subarray(at, at + length);

/** An ISO whose boot catalogue has this platform in its first entry. */
function isoWith(platform: number, bootable: number): Buffer {
  const iso = Buffer.alloc(20 * 2048);
  iso.write('\u0000CD001\u0001EL TORITO SPECIFICATION', 17 * 2048, 'latin1');
  iso.writeUInt32LE(19, 17 * 2048 + 0x47);
  iso.set([1, platform], 19 * 2048);
  iso[19 * 2048 + 32] = bootable;
  return iso;
}

test('an ISO is booted by the firmware that its boot catalogue is made for', async () => {
  const rows = [
    [isoWith(0, 0x88), 'bios'],
    [isoWith(0xef, 0x88), 'uefi'],
    [isoWith(0, 0), 'uefi'],
    [Buffer.alloc(20 * 2048), 'bios'],
    [Buffer.alloc(10), 'bios'],
  ] as const;
  for (const [iso, firmware] of rows) assert.equal(await firmwareOf('iso', reader(iso)), firmware);
});

test('a disk without boot code in its first sector is meant for UEFI', async () => {
  const disk = Buffer.alloc(512);
  disk.writeUInt16BE(0x55aa, 510);
  assert.equal(await firmwareOf('disk', reader(disk)), 'uefi');
  disk[0] = 0xeb;
  assert.equal(await firmwareOf('disk', reader(disk)), 'bios');
});

test('a catalogue that points beyond the file does no harm', async () => {
  const iso = isoWith(0xef, 0x88);
  iso.writeUInt32LE(0xffff_ffff, 17 * 2048 + 0x47);
  assert.equal(await firmwareOf('iso', reader(iso)), 'bios');
});

test('the firmware is read from the file, unless it was chosen', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'firmware-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const iso = join(folder, 'iso');
  writeFileSync(iso, isoWith(0xef, 0x88));
  const image = { id: 'i', iso };
  assert.equal(await chooseFirmware({ image }), 'uefi');
  assert.equal(await chooseFirmware({ image, firmware: 'bios' }), 'bios');
});
