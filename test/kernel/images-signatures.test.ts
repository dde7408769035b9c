import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { asMullionError } from '../../src/contract/errors.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { craftTar, HONEST } from '../support/crafted-archive.ts';
import { ImageShop } from '../support/image-shop.ts';
import { Signer } from '../support/signer.ts';

const missing = ['crun', 'tar', 'qemu-img', 'gpg', 'gpgconf', 'gpgv'].filter((name) => !hasProgram(name));
const skip = missing.length === 0 ? false : `these programs are not installed: ${missing.join(', ')}`;
const ARMOR = '-----BEGIN PGP SIGNATURE-----';

const signed = (signature: Buffer, keys: Buffer) => ({
  signature: { signature: signature.toString('base64'), keyring: keys.toString('base64') },
});

test('a file whose signature is good by one of the keys becomes an image', { skip }, async (t) => {
  using shop = await ImageShop.open();
  await using maker = await Signer.open(shop.path, 'maker');
  await using other = await Signer.open(shop.path, 'other');
  const tar = craftTar(HONEST);
  const path = join(shop.path, 'disk.raw');
  writeFileSync(path, Buffer.alloc(8 * 1024 ** 2));
  await run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', path, `${path}.qcow2`]);
  const disk = readFileSync(`${path}.qcow2`);
  const keys = await maker.keys();
  const armored = await maker.keys('--armor');
  const both = Buffer.concat([await other.keys('--armor'), armored]);
  const windows = Buffer.from(armored.toString().replaceAll('\n', '\r\n'));
  for (const [title, bytes, signature, ring] of [
    ['a root file system', tar, await maker.sign(tar), keys],
    ['a disk', disk, await maker.sign(disk), keys],
    ['by an armored signature and armored keys', tar, await maker.sign(tar, '--armor'), armored],
    ['by the second of two armored keys', tar, await maker.sign(tar), both],
    ['by keys with the line ends of Windows', tar, await maker.sign(tar), windows],
  ] as const) {
    await t.test(title, async () => {
      const { record } = await shop.take(bytes, signed(signature, ring));
      await shop.store.delete(record.id);
      assert.deepEqual(shop.left(), []);
    });
  }
});

test('a file whose signature is not good is refused by its cause and leaves nothing', { skip }, async (t) => {
  using shop = await ImageShop.open();
  await using maker = await Signer.open(shop.path, 'maker');
  await using other = await Signer.open(shop.path, 'other');
  await using revoked = await Signer.open(shop.path, 'revoked');
  const tar = craftTar(HONEST);
  const changed = craftTar([...HONEST, { name: 'etc/backdoor', content: 'x' }]);
  const keys = await maker.keys();
  const good = await maker.sign(tar);
  const armored = await maker.sign(tar, '--armor');
  const late = await revoked.sign(tar);
  await revoked.revoke();
  const cases: readonly (readonly [string, RegExp, Buffer, Buffer, Buffer])[] = [
    [
      'a signature of a key that is not among those given',
      /by the key [0-9A-F]{16,}/,
      tar,
      good,
      await other.keys(),
    ],
    ['a signature of another file', /not that of this file/, tar, await maker.sign(changed), keys],
    ['a file that was changed after it was signed', /not that of this file/, changed, good, keys],
    ['a file with one byte more', /not that of this file/, Buffer.concat([tar, Buffer.alloc(1)]), good, keys],
    ['an empty signature', /holds no OpenPGP signature/, tar, Buffer.alloc(0), keys],
    ['a signature that breaks off', /holds no OpenPGP signature/, tar, good.subarray(0, 20), keys],
    [
      'an armored signature that breaks off',
      /holds no OpenPGP signature/,
      tar,
      armored.subarray(0, 80),
      keys,
    ],
    [
      'armor with garbage in it',
      /holds no OpenPGP signature/,
      tar,
      Buffer.from(`${ARMOR}\n\n!!!!\n-----END PGP SIGNATURE-----\n`),
      keys,
    ],
    ['text', /holds no OpenPGP signature/, tar, Buffer.from('hello '.repeat(100)), keys],
    [
      'a signed message in the place of a signature',
      /a detached one is needed/,
      tar,
      await maker.signInline(tar),
      keys,
    ],
    ['a signature of a key that its maker has revoked', /was revoked/, tar, late, await revoked.keys()],
    [
      'a good signature beside one that is not',
      /by the key/,
      tar,
      Buffer.concat([await other.sign(tar), good]),
      keys,
    ],
    ['keys that are none', /none of the keys/, tar, good, Buffer.from('hello '.repeat(100))],
    ['no keys', /no OpenPGP public key/, tar, good, Buffer.alloc(0)],
    [
      'armored keys that break off',
      /no OpenPGP public key/,
      tar,
      good,
      (await maker.keys('--armor')).subarray(0, -60),
    ],
  ];
  for (const [title, says, bytes, signature, ring] of cases) {
    await t.test(title, async () => {
      const failure = await shop.take(bytes, signed(signature, ring)).then(
        ({ record }) => assert.fail(`it became the image ${record.id}`),
        (thrown: unknown) => asMullionError(thrown),
      );
      assert.deepEqual(
        [failure.code, failure.details.reason],
        ['image_refused', 'signature'],
        failure.message,
      );
      assert.match(failure.message, says);
      assert.deepEqual(shop.left(), []);
      assert.deepEqual(shop.store.list(), []);
    });
  }
});
