import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { asMullionError } from '../../src/contract/errors.ts';
import type { ImportImageRequest } from '../../src/contract/image-requests.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { ImageShop } from '../support/image-shop.ts';

const missing = ['crun', 'qemu-img', 'mke2fs'].filter((name) => !hasProgram(name));
const skip = missing.length === 0 ? false : `these programs are not installed: ${missing.join(', ')}`;
const SIZE = 8 * 1024 ** 2;

/** A disk with something of a partition table, and something in its middle. */
function rawDisk(): Buffer {
  const disk = Buffer.alloc(SIZE);
  disk.writeUInt16BE(0x55aa, 510);
  disk.write('in the middle', SIZE / 2);
  return disk;
}

test('disks of each format become the same raw disk, and go out again', { skip }, async (t) => {
  using shop = await ImageShop.open();
  const raw = join(shop.path, 'disk.raw');
  writeFileSync(raw, rawDisk());
  for (const format of ['qcow2', 'vmdk', 'vdi'] as const) {
    await run(['qemu-img', 'convert', '-f', 'raw', '-O', format, raw, `${raw}.${format}`]);
  }
  const files = { raw: rawDisk(), packed: gzipSync(rawDisk()) };
  const all: Record<string, Buffer> = {
    ...files,
    ...Object.fromEntries(
      ['qcow2', 'vmdk', 'vdi'].map((format) => [format, readFileSync(`${raw}.${format}`)]),
    ),
  };
  for (const [name, bytes] of Object.entries(all)) {
    await t.test(name, async () => {
      const { record } = await shop.take(bytes, { name });
      assert.deepEqual(record.parts, ['boot-disk']);
      assert.equal(record.minimumDisk, SIZE);
      const { bootDisk = '', disk } = shop.store.files(record.id);
      assert.equal(disk, undefined);
      assert.ok(readFileSync(bootDisk).equals(rawDisk()));
      assert.ok(statSync(bootDisk).blocks * 512 < SIZE / 4, 'holes stay holes');
    });
  }
  await t.test('a disk goes out as it is asked for', async () => {
    const image = shop.store.find('default', 'vdi');
    for (const format of ['raw', 'qcow2', 'vmdk', 'vdi'] as const) {
      await using file = await shop.store.export(
        image?.id ?? '',
        format,
        () => undefined,
        new AbortController().signal,
      );
      const pieces: Buffer[] = [];
      for await (const piece of file.content) pieces.push(Buffer.from(piece));
      const { record } = await shop.take(Buffer.concat(pieces), { name: `again-${format}` });
      assert.ok(readFileSync(shop.store.files(record.id).bootDisk ?? '').equals(rawDisk()), format);
    }
    const never = new AbortController().signal;
    await assert.rejects(
      shop.store.export(image?.id ?? '', 'oci', () => undefined, never),
      { code: 'image_unfit' },
    );
  });
});

test('an ISO image is kept as it is, and a file system without partitions is a disk', { skip }, async () => {
  using shop = await ImageShop.open();
  const iso = Buffer.alloc(0x8000 + 4096);
  iso.write('\u0001CD001\u0001', 0x8000, 'latin1');
  const taken = await shop.take(iso, { name: 'medium' });
  assert.deepEqual(taken.record.parts, ['iso']);
  assert.ok(readFileSync(shop.store.files(taken.record.id).iso ?? '').equals(iso));
  const path = join(shop.path, 'ext4');
  writeFileSync(path, Buffer.alloc(SIZE));
  await run(['mke2fs', '-q', '-F', '-t', 'ext4', path]);
  const { record } = await shop.take(readFileSync(path), { name: 'bare' });
  assert.deepEqual(record.parts, ['disk']);
});

test('hostile disks are refused by name and leave nothing', { skip }, async (t) => {
  using shop = await ImageShop.open({ bytes: 64 * 1024 ** 2 });
  const make = async (name: string, ...rest: readonly string[]): Promise<Buffer> => {
    const path = join(shop.path, name);
    await run(['qemu-img', 'create', '-q', '-f', ...rest.slice(0, -1), path, rest.at(-1) ?? '8M']);
    return readFileSync(path);
  };
  const backed = await make('backed', 'qcow2', '-u', '-F', 'raw', '-b', '/etc/hostname', '8M');
  const external = await make('external', 'qcow2', '-o', `data_file=${join(shop.path, 'data.raw')}`, '8M');
  const huge = await make('huge', 'qcow2', '1T');
  const sound = await make('sound', 'qcow2', '8M');
  const delta = await make('delta', 'vmdk', '-o', 'subformat=monolithicSparse', '8M');
  delta.write('parentFileNameHint="/etc/hostname"\n', delta.indexOf('createType='), 'latin1');
  const flat = Buffer.from(
    '# Disk DescriptorFile\ncreateType="monolithicFlat"\nRW 16384 FLAT "/etc/hostname" 0\n'.padEnd(1024),
  );
  const wild = Buffer.from(sound);
  wild.writeUInt32BE(63, 20);
  const wilder = Buffer.from(sound);
  wilder.writeBigUInt64BE(0xffff_ffff_ffff_0000n, 40);
  const cases: readonly (readonly [string, string, RegExp, Buffer, Partial<ImportImageRequest>?])[] = [
    ['a qcow2 over a file of the host', 'names_host_file', /\/etc\/hostname/, backed],
    ['a qcow2 with its data elsewhere', 'names_host_file', /in another file/, external],
    ['a qcow2 of a terabyte', 'too_large', /bytes inside/, huge],
    ['a qcow2 cut off in its header', 'truncated', /header/, sound.subarray(0, 80)],
    ['a qcow2 with absurd clusters', 'damaged', /cannot be read/, wild],
    ['a qcow2 with its tables outside', 'damaged', /cannot be/, wilder],
    ['a vmdk over a file of the host', 'names_host_file', /\/etc\/hostname/, delta],
    ['a vmdk that only names files', 'names_host_file', /names other files/, flat, { format: 'vmdk' }],
    [
      'a raw disk that a guest made look like a qcow2',
      'format',
      /first bytes say qcow2/,
      backed,
      { format: 'vdi' },
    ],
  ];
  for (const [title, reason, says, bytes, request] of cases) {
    await t.test(title, async () => {
      const failure = await shop.take(bytes, request).then(
        ({ record }) => assert.fail(`it became the image ${record.id}`),
        (thrown: unknown) => asMullionError(thrown),
      );
      assert.equal(failure.code, 'image_refused', `${failure.message} ${String(failure.cause)}`);
      assert.equal(failure.details.reason, reason, failure.message);
      assert.match(failure.message, says);
      assert.deepEqual(shop.left(), []);
    });
  }
  await t.test('what is said to be raw stays raw, whatever a guest wrote at its beginning', async () => {
    const { record } = await shop.take(backed, { format: 'raw' });
    const kept = readFileSync(shop.store.files(record.id).bootDisk ?? '');
    assert.ok(kept.subarray(0, backed.length).equals(backed));
  });
});
