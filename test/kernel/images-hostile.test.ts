import assert from 'node:assert/strict';
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { asMullionError } from '../../src/contract/errors.ts';
import type { ImportImageRequest } from '../../src/contract/image-requests.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import type { RefusedReason } from '../../src/images/import/refused.ts';
import { craftTar, HONEST, type Member } from '../support/crafted-archive.ts';
import { ImageShop } from '../support/image-shop.ts';

const missing = ['crun', 'tar', 'qemu-img', 'gzip', 'xz', 'zstd'].filter((name) => !hasProgram(name));
const skip = missing.length === 0 ? false : `these programs are not installed: ${missing.join(', ')}`;
const SECRET = '/etc/hostname';

interface Case {
  readonly title: string;
  readonly reason: RefusedReason;
  readonly bytes: () => Buffer | Promise<Buffer>;
  readonly says: RegExp;
  readonly request?: Partial<ImportImageRequest>;
}

const withHonest =
  (...members: readonly Member[]): (() => Buffer) =>
  () =>
    craftTar([...HONEST, ...members]);
const tarCase = (
  title: string,
  reason: RefusedReason,
  says: RegExp,
  ...members: readonly Member[]
): Case => ({
  title,
  reason,
  says,
  bytes: withHonest(...members),
});

const TAR_CASES: readonly Case[] = [
  tarCase('a path that climbs out', 'path', /leads outside/, {
    name: '../../../../tmp/escaped',
    content: 'x',
  }),
  tarCase('a path that climbs out in the middle', 'path', /outside/, {
    name: 'etc/../../escaped',
    content: 'x',
  }),
  tarCase('a path of a long name that climbs out', 'path', /outside/, {
    name: 'short',
    pax: { path: `${'a/'.repeat(60)}../../../${'../'.repeat(60)}escaped` },
  }),
  tarCase('an absolute path', 'path', /root of the host/, { name: '/tmp/escaped', content: 'x' }),
  tarCase('something in the place of the root', 'path', /own root/, { name: './', type: '2', link: '/tmp' }),
  tarCase(
    'a file written through an absolute link',
    'link',
    /through a link/,
    { name: 'out', type: '2', link: '/tmp' },
    { name: 'out/escaped', content: 'x' },
  ),
  tarCase(
    'a file written through a relative link',
    'link',
    /through a link/,
    { name: 'out', type: '2', link: '../../../tmp' },
    { name: 'out/escaped', content: 'x' },
  ),
  tarCase(
    'a file written through links that loop',
    'link',
    /through a link/,
    { name: 'a', type: '2', link: 'b' },
    { name: 'b', type: '2', link: 'a' },
    { name: 'a/b/c', content: 'x' },
  ),
  tarCase('a hard link to a file of the host', 'path', /root of the host/, {
    name: 'shadow',
    type: '1',
    link: SECRET,
  }),
  tarCase('a hard link that climbs out', 'path', /outside/, {
    name: 'shadow',
    type: '1',
    link: `../../..${SECRET}`,
  }),
  tarCase(
    'a hard link through a link',
    'link',
    /through a link/,
    { name: 'out', type: '2', link: '/etc' },
    { name: 'shadow', type: '1', link: 'out/hostname' },
  ),
  tarCase('a hard link to what never came', 'link', /not brought before/, {
    name: 'x',
    type: '1',
    link: 'no/such',
  }),
  tarCase('a disk of the host as a device node', 'device', /device node/, {
    name: 'disk',
    type: '4',
    device: [8, 0],
  }),
  tarCase('a device node that hides below /dev/..', 'path', /outside/, {
    name: 'dev/../disk',
    type: '3',
    device: [1, 1],
  }),
  tarCase('a set-user-ID file of a foreign owner', 'owner', /set-user-ID/, {
    name: 'root-of-the-host',
    mode: 0o4755,
    uid: 1_879_048_192,
    content: 'x',
  }),
  tarCase('an owner beyond all ids of a VPS', 'owner', /65535/, { name: 'file', uid: 65_536 }),
  tarCase('a name that clears the terminal', 'name', /control characters: \?\[2Jx/, { name: '\u001b[2Jx' }),
  tarCase('a name with a line end', 'name', /control/, { name: 'a\nb' }),
  tarCase('a name with a C1 control', 'name', /control/, { name: Buffer.from('a\u009b2Jb') }),
  tarCase('a link to a name with an escape', 'name', /control/, {
    name: 'x',
    type: '2',
    link: '\u001b]0;owned\u0007',
  }),
  tarCase('a file below a file', 'path', /no folder/, { name: 'etc/hostname/below', content: 'x' }),
  tarCase("an attribute of overlayfs' own", 'attribute', /user.overlay.redirect/, {
    name: 'x',
    pax: { 'SCHILY.xattr.user.overlay.redirect': '/etc' },
  }),
  tarCase('a folder that claims content', 'damaged', /no file has content/, {
    name: 'd',
    type: '5',
    size: 512,
  }),
  tarCase('a kind that no tar has', 'damaged', /kind/, { name: 'x', type: 'Z' }),
];

const STREAM_CASES: readonly Case[] = [
  {
    title: 'an archive cut inside a file',
    reason: 'truncated',
    says: /breaks off/,
    bytes: () => withHonest({ name: 'big', content: Buffer.alloc(9000, 1) })().subarray(0, -3000),
  },
  {
    title: 'an archive without an end mark',
    reason: 'truncated',
    says: /end mark/,
    bytes: () => craftTar(HONEST, false),
  },
  {
    title: 'a header whose sum is wrong',
    reason: 'damaged',
    says: /sum/,
    bytes: () => {
      const bytes = withHonest({ name: 'x', content: 'y' })();
      bytes[HONEST.length * 512 + 1024 + 3] = 0x41;
      return bytes;
    },
  },
  {
    title: 'a pax header that lies about its length',
    reason: 'damaged',
    says: /extended header/,
    bytes: withHonest({ name: 'p', type: 'x', content: '999999 path=x\n' }, { name: 'x' }),
  },
  {
    title: 'a pax header of gigabytes',
    reason: 'damaged',
    says: /1 MiB/,
    bytes: withHonest({ name: 'p', type: 'x', size: 8_000_000_000 }),
  },
  {
    title: 'a sparse file of many terabytes',
    reason: 'too_large',
    says: /more than/,
    bytes: withHonest({
      name: 'x',
      pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '90000000000000' },
      content: Buffer.from('1\n0\n0\n'.padEnd(512, '\0')),
    }),
  },
  {
    title: 'more files than allowed',
    reason: 'too_many_files',
    says: /more than 2000 files/,
    bytes: () => gzipSync(craftTar(Array.from({ length: 2500 }, (_, index) => ({ name: `f${index}` })))),
  },
  {
    title: 'a bomb of zeros',
    reason: 'bomb',
    says: /bomb/,
    bytes: () => gzipSync(craftTar([...HONEST, { name: 'zeros', content: Buffer.alloc(24 * 1024 ** 2) }])),
  },
  {
    title: 'a bomb of zstd',
    reason: 'bomb',
    says: /bomb/,
    bytes: () =>
      zstdCompressSync(craftTar([...HONEST, { name: 'zeros', content: Buffer.alloc(24 * 1024 ** 2) }])),
  },
  {
    title: 'a larger file than allowed',
    reason: 'too_large',
    says: /larger than/,
    bytes: () => craftTar([...HONEST, { name: 'big', content: Buffer.alloc(31 * 1024 ** 2, 7) }]),
  },
  {
    title: 'gzip data cut off',
    reason: 'truncated',
    says: /end of its gzip/,
    bytes: () =>
      gzipSync(
        withHonest({
          name: 'x',
          content: Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7919) % 251)),
        })(),
      ).subarray(0, -900),
  },
  {
    title: 'gzip data with a wrong byte',
    reason: 'damaged',
    says: /gzip/,
    bytes: () => {
      const bytes = gzipSync(withHonest()(), { level: constants.Z_BEST_COMPRESSION });
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 6) ^ 0xff, bytes.length - 6);
      return bytes;
    },
  },
  {
    title: 'compressed twice',
    reason: 'format',
    says: /twice/,
    bytes: () => gzipSync(gzipSync(craftTar(HONEST))),
  },
  { title: 'nothing at all', reason: 'format', says: /empty/, bytes: () => Buffer.alloc(0) },
  { title: 'text', reason: 'format', says: /none of what/, bytes: () => Buffer.from('hello '.repeat(1000)) },
  {
    title: 'a text that is said to be a qcow2',
    reason: 'format',
    says: /not of the format qcow2/,
    bytes: () => Buffer.from('hello '.repeat(1000)),
    request: { format: 'qcow2' },
  },
  {
    title: 'another sum than the one asked for',
    reason: 'checksum',
    says: /SHA-256/,
    bytes: () => craftTar(HONEST),
    request: { sha256: '0'.repeat(64) },
  },
  {
    title: 'fewer bytes than announced',
    reason: 'truncated',
    says: /bytes came/,
    bytes: () => craftTar(HONEST),
    request: { size: 1_000_000 },
  },
];

test('hostile archives are refused by name and leave nothing', { skip }, async (t) => {
  using shop = await ImageShop.open({ files: 2000, bytes: 30 * 1024 ** 2, ratio: 100, ratioFrom: 1024 ** 2 });
  for (const one of [...TAR_CASES, ...STREAM_CASES]) {
    await t.test(one.title, async () => refuses(shop, one));
  }
  assert.ok(!existsSync('/tmp/escaped') && !existsSync(join(shop.path, 'escaped')));
});

async function refuses(shop: ImageShop, { bytes, reason, says, request }: Case): Promise<void> {
  const failure = await shop.take(await bytes(), request).then(
    ({ record }) => assert.fail(`it became the image ${record.id}`),
    (thrown: unknown) => asMullionError(thrown),
  );
  assert.equal(failure.code, 'image_refused', `${failure.message} ${String(failure.cause)}`);
  assert.equal(failure.details.reason, reason, failure.message);
  assert.match(failure.message, says);
  assert.equal(failure.entry.exitCode, 2);
  assert.doesNotMatch(failure.message, /[\x00-\x1f\x7f-\x9f]/);
  assert.deepEqual(shop.left(), []);
  assert.deepEqual(shop.store.list(), []);
}

test('an honest archive keeps owners, modes, links and attributes, packed in each way', {
  skip,
}, async (t) => {
  using shop = await ImageShop.open();
  const tar = craftTar([
    ...HONEST,
    { name: './dev/', type: '5' },
    { name: './dev/null', type: '3', device: [1, 3] },
    { name: './usr/bin/ping', content: 'ping', pax: { 'SCHILY.xattr.user.note': 'kept' } },
    { name: './run/', type: '5' },
    { name: './run/pipe', type: '6' },
  ]);
  const path = join(shop.path, 'a.tar');
  writeFileSync(path, tar);
  await run(['xz', '--keep', path]);
  const packed = {
    plain: tar,
    gzip: gzipSync(tar),
    zstd: zstdCompressSync(tar),
    xz: readFileSync(`${path}.xz`),
  };
  for (const [kind, bytes] of Object.entries(packed)) {
    await t.test(kind, async () => {
      const { record, warnings } = await shop.take(bytes, { name: kind });
      assert.deepEqual(record.parts, ['rootfs']);
      assert.deepEqual(record.onDemand, ['disk']);
      assert.match(warnings.join(), /1 device nodes/);
      const root = shop.store.files(record.id).rootfs ?? '';
      const tool = lstatSync(join(root, 'usr/bin/tool'));
      assert.deepEqual([tool.mode & 0o7777, tool.uid, tool.nlink], [0o4755, 0, 2]);
      assert.equal(lstatSync(join(root, 'home')).uid, 1000);
      assert.ok(lstatSync(join(root, 'bin')).isSymbolicLink());
      assert.ok(lstatSync(join(root, 'run/pipe')).isFIFO());
      assert.ok(!existsSync(join(root, 'dev/null')));
      const { stdout } = await run(
        ['getfattr', '--only-values', '-n', 'user.note', join(root, 'usr/bin/ping')],
        { okCodes: [0, 1] },
      );
      if (hasProgram('getfattr')) assert.equal(stdout, 'kept');
      await shop.store.provide(record.id, ['disk'], new AbortController().signal);
      await run(['e2fsck', '-f', '-n', shop.store.files(record.id).disk ?? '']);
      await shop.store.delete(record.id);
      assert.deepEqual(shop.left(), [], 'the disk goes with its image');
    });
  }
});

test('a client that goes away in the middle leaves nothing', { skip }, async () => {
  using shop = await ImageShop.open();
  const broken = Readable.from(
    (async function* () {
      yield craftTar(HONEST).subarray(0, 1000);
      throw new Error('gone');
    })(),
  );
  await assert.rejects(shop.take(broken), /gone/);
  assert.deepEqual(shop.left(), []);
});
