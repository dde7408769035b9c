import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { asMullionError } from '../../src/contract/errors.ts';
import { hostFacts } from '../../src/host/facts.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { dockerArchive, ImageArchiveCraft } from '../support/image-archive.ts';
import { ImageShop } from '../support/image-shop.ts';

const missing = ['crun', 'skopeo', 'umoci', 'tar'].filter((name) => !hasProgram(name));
const skip = missing.length === 0 ? false : `these programs are not installed: ${missing.join(', ')}`;
const { architecture } = hostFacts();
const foreign = architecture === 'arm64' ? 'amd64' : 'arm64';

/** What the image that is taken says of itself. */
async function taken(shop: ImageShop, bytes: Buffer, image?: string): Promise<string> {
  const { record } = await shop.take(bytes, image === undefined ? {} : { image });
  const said = readFileSync(join(shop.store.files(record.id).rootfs ?? '', 'etc/who'), 'utf8');
  await shop.store.delete(record.id);
  return said;
}

async function refusal(shop: ImageShop, bytes: Buffer, image?: string): Promise<string> {
  const failure = await taken(shop, bytes, image).then(
    (said) => assert.fail(`${said} was taken`),
    (thrown: unknown) => asMullionError(thrown),
  );
  assert.deepEqual([failure.code, shop.left()], ['image_refused', []], failure.message);
  return `${String(failure.details.reason)}: ${failure.message}`;
}

test('of an OCI archive of several images the one that is meant is taken', { skip }, async (t) => {
  using shop = await ImageShop.open();
  const craft = new ImageArchiveCraft();
  const named = (says: string): object => ({
    ...craft.image({ says, architecture }),
    annotations: { 'org.opencontainers.image.ref.name': says },
  });
  const archive = craft.oci([named('1.0'), named('registry.test/app:2.0')]);
  await t.test('by name, tag or digest', async () => {
    assert.equal(await taken(shop, archive, '1.0'), '1.0');
    assert.equal(await taken(shop, gzipSync(archive), '2.0'), 'registry.test/app:2.0');
    const { digest } = craft.image({ says: '1.0', architecture });
    assert.equal(await taken(shop, archive, digest), '1.0');
  });
  await t.test('or refused with a list of what is there', async () => {
    assert.match(await refusal(shop, archive), /^several: .*2 images.*1\.0; registry\.test\/app:2\.0/);
    assert.match(await refusal(shop, archive, '3.0'), /^several: .*no image 3\.0.*1\.0; registry/);
  });
});

test('of an image for several platforms the one of this host is taken', { skip }, async () => {
  using shop = await ImageShop.open();
  const craft = new ImageArchiveCraft();
  const of = (name: string): object => ({
    ...craft.image({ says: name, architecture: name }),
    platform: { os: 'linux', architecture: name },
  });
  const inner = craft.blob(craft.index([of(foreign), of(architecture)]));
  const nested = { mediaType: 'application/vnd.oci.image.index.v1+json', ...inner };
  for (const archive of [craft.oci([nested]), craft.oci([of(foreign), of(architecture)])]) {
    assert.equal(await taken(shop, archive), architecture);
    assert.match(
      await refusal(shop, archive, `linux/${foreign}`),
      new RegExp(`format: .*made for ${foreign}`),
    );
  }
});

test('of an archive of docker save the one that is meant is taken', { skip }, async () => {
  using shop = await ImageShop.open();
  const archive = dockerArchive([
    { says: 'first', architecture, tags: ['app:1', 'app:latest'] },
    { says: 'second', architecture, tags: ['registry.test/other:2'] },
  ]);
  assert.equal(await taken(shop, archive, 'app:latest'), 'first');
  assert.equal(await taken(shop, archive, 'registry.test/other:2'), 'second');
  assert.match(await refusal(shop, archive), /^several: .*app:1, app:latest; registry\.test\/other:2/);
  assert.equal(await taken(shop, dockerArchive([{ says: 'only', architecture, tags: [] }])), 'only');
});

test('lists of images that lie are refused', { skip }, async (t) => {
  using shop = await ImageShop.open();
  const craft = new ImageArchiveCraft();
  const honest = craft.image({ says: 'honest', architecture });
  const absent = { ...honest, digest: `sha256:${'0'.repeat(64)}` };
  await t.test('a manifest that is not there', async () => {
    assert.match(await refusal(shop, craft.oci([honest, absent]), '000000000000'), /damaged/);
  });
  await t.test('an index that is none', async () => {
    const index = { mediaType: 'application/vnd.oci.image.index.v1+json', ...craft.blob({ manifests: 'x' }) };
    assert.match(await refusal(shop, craft.oci([index])), /damaged/);
  });
  await t.test('more lists than anyone would write', async () => {
    const index = {
      mediaType: 'application/vnd.oci.image.index.v1+json',
      ...craft.blob(craft.index([honest])),
    };
    assert.match(await refusal(shop, craft.oci(Array.from({ length: 40 }, () => index))), /more than 32/);
  });
  await t.test('an image of a file that is no archive of any', async () => {
    const bytes = Buffer.alloc(1024 ** 2);
    bytes.writeUInt16BE(0x55aa, 510);
    assert.match(await refusal(shop, bytes, 'x'), /format: .*no archive of images/);
  });
});
