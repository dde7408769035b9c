import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { asMullionError, type MullionError } from '../../src/contract/errors.ts';
import { type ExportFormat, ImportImageRequestSchema } from '../../src/contract/image-requests.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import type { OnImageProgress } from '../../src/images/image-store.ts';
import { craftTar, HONEST } from '../support/crafted-archive.ts';
import { ImageShop } from '../support/image-shop.ts';
import { ownProcesses } from '../support/inventory.ts';
import { placeIn } from '../support/sweep.ts';

const missing = ['crun', 'qemu-img', 'mke2fs', 'fuse2fs', 'tar', 'gzip'].filter((name) => !hasProgram(name));
const skip = missing.length === 0 ? false : `these programs are not installed: ${missing.join(', ')}`;
const MIB = 1024 ** 2;
const never = new AbortController().signal;
const ignore: OnImageProgress = () => undefined;

/** Kills, as kill -9 does, each process of the shop's jails whose command line matches; whether there was one. */
function strike(shop: ImageShop, pattern: RegExp): boolean {
  const struck = ownProcesses(placeIn(shop.path)).filter(({ command }) => pattern.test(command));
  for (const { pid } of struck) process.kill(pid, 'SIGKILL');
  return struck.length > 0;
}

/** Strikes while `work` is under way, and gives what it failed with. */
async function struckDuring(shop: ImageShop, pattern: RegExp, work: Promise<unknown>): Promise<MullionError> {
  let over = false;
  const ended = work
    .then(
      () => assert.fail('it came to its end'),
      (failure: unknown) => asMullionError(failure),
    )
    .finally(() => {
      over = true;
    });
  ended.catch(() => undefined);
  // Without a pause: on a fast machine the program is there for some hundredths of a second.
  while (!over && !strike(shop, pattern)) await setImmediate();
  return ended;
}

const take = (shop: ImageShop, bytes: Buffer, name: string): Promise<unknown> =>
  shop.store.import(
    'default',
    ImportImageRequestSchema.parse({ name }),
    Readable.from([bytes]),
    ignore,
    never,
  );

function saysWhoWasEnded(failure: MullionError, program: string): void {
  assert.equal(failure.code, 'command_failed', failure.message);
  assert.match(failure.message, new RegExp(`^${program} was ended by SIGKILL before its work was done`));
}

/** Bytes that no program can shorten. */
const noise = randomBytes(96 * MIB);

test('a conversion of a disk that is killed blames no image, leaves nothing and works again', {
  skip,
}, async (t) => {
  using shop = await ImageShop.open();
  const raw = join(shop.path, 'disk.raw');
  noise.writeUInt16BE(0x55aa, 510);
  writeFileSync(raw, noise);
  const disks: Record<string, Buffer> = { raw: noise };
  for (const format of ['qcow2', 'vmdk', 'vdi'] as const) {
    await run(['qemu-img', 'convert', '-f', 'raw', '-O', format, raw, `${raw}.${format}`]);
    disks[format] = readFileSync(`${raw}.${format}`);
  }
  for (const [format, bytes] of Object.entries(disks)) {
    await t.test(`${format} on its way in`, async () => {
      saysWhoWasEnded(await struckDuring(shop, /^qemu-img convert/, take(shop, bytes, format)), 'qemu-img');
      assert.deepEqual([shop.left(), shop.store.list()], [[], []]);
      await take(shop, bytes, format);
      const { id } = shop.store.find('default', format) ?? assert.fail();
      assert.ok(readFileSync(shop.store.files(id).bootDisk ?? '').equals(noise));
      await shop.store.delete(id);
    });
  }
  await take(shop, noise, 'out');
  const { id } = shop.store.find('default', 'out') ?? assert.fail();
  const before = shop.left();
  const give = async (format: ExportFormat): Promise<Buffer> => {
    await using file = await shop.store.export(id, format, ignore, never);
    const bytes = await buffer(file.content);
    await file.ended;
    return bytes;
  };
  for (const format of ['qcow2', 'vmdk', 'vdi'] as const) {
    await t.test(`${format} on its way out`, async () => {
      saysWhoWasEnded(await struckDuring(shop, /^qemu-img convert/, give(format)), 'qemu-img');
      assert.deepEqual(shop.left(), before);
      assert.ok((await give(format)).length > noise.length / 2);
      assert.deepEqual(shop.left(), before);
    });
  }
});

test('so does an archive whose unpacker or decompressor is killed', { skip }, async (t) => {
  using shop = await ImageShop.open();
  const tar = craftTar([...HONEST, { name: 'noise', content: noise }]);
  const packed = gzipSync(tar, { level: 1 });
  for (const [program, pattern, bytes] of [
    ['tar', /^tar --extract/, tar],
    ['gzip', /^gzip --decompress/, packed],
  ] as const) {
    await t.test(program, async () => {
      saysWhoWasEnded(await struckDuring(shop, pattern, take(shop, bytes, program)), program);
      assert.deepEqual([shop.left(), shop.store.list()], [[], []]);
      await take(shop, bytes, program);
      await shop.store.delete(shop.store.find('default', program)?.id ?? '');
    });
  }
});

test('so does a disk whose files are being read', { skip }, async () => {
  using shop = await ImageShop.open();
  const folder = join(shop.path, 'root');
  await run(['mkdir', '-p', join(folder, 'etc')]);
  writeFileSync(join(folder, 'noise'), noise);
  const path = join(shop.path, 'ext4');
  await run(['mke2fs', '-q', '-F', '-t', 'ext4', '-d', folder, path, '160M']);
  await take(shop, readFileSync(path), 'bare');
  const { id } = shop.store.find('default', 'bare') ?? assert.fail();
  const before = shop.left();
  const failure = await struckDuring(shop, /^tar --create/, shop.store.provide(id, ['rootfs'], never));
  assert.equal(failure.code, 'command_failed', failure.message);
  assert.match(failure.message, /could not be read/);
  assert.deepEqual(shop.left(), before);
  await shop.store.provide(id, ['rootfs'], never);
  assert.ok(readFileSync(join(shop.store.files(id).rootfs ?? '', 'noise')).equals(noise));
});
