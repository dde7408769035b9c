import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseImage, imagesOfDockerManifest, imagesOfIndex } from './archived-images.ts';

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const manifest = (digit: string, rest: object = {}): object => ({ digest: digest(digit), size: 7, ...rest });
const named = (name: string): object => ({ annotations: { 'org.opencontainers.image.ref.name': name } });
const made = (architecture: string): object => ({ platform: { os: 'linux', architecture } });
const several =
  (reason: string, ...says: RegExp[]) =>
  (failure: unknown) => {
    assert.ok(failure instanceof Error && 'details' in failure);
    assert.deepEqual(failure.details, { reason });
    for (const pattern of says) assert.match(failure.message, pattern);
    return true;
  };

test('of an archive of several images the one that is named is taken', () => {
  const images = imagesOfIndex(
    JSON.stringify({
      manifests: [
        manifest('a', named('1.0')),
        manifest('b', named('registry.test/app:2.0')),
        manifest('c', { annotations: { 'io.containerd.image.name': 'docker.io/library/alpine:3' } }),
        manifest('d'),
      ],
    }),
  );
  for (const [wanted, place] of [
    ['1.0', 0],
    ['registry.test/app:2.0', 1],
    ['2.0', 1],
    ['alpine:3', 2],
    [digest('d'), 3],
    ['dddddddddddd', 3],
  ] as const)
    assert.equal(chooseImage(images, wanted, 'amd64'), place, wanted);
  assert.throws(
    () => chooseImage(images, undefined, 'amd64'),
    several('several', /4 images/, /1\.0/, /app:2\.0/, /alpine:3/, /sha256:dddddddddddd/),
  );
  assert.throws(() => chooseImage(images, '3.0', 'amd64'), several('several', /no image 3\.0/, /1\.0;/));
});

test('of one image for several platforms that of this host is taken, or the one that is asked for', () => {
  const index = { manifests: [manifest('a', made('arm64')), manifest('b', made('amd64'))] };
  const images = imagesOfIndex(JSON.stringify(index));
  assert.equal(chooseImage(images, undefined, 'amd64'), 1);
  assert.equal(chooseImage(images, 'linux/arm64', 'amd64'), 0);
  assert.throws(
    () => chooseImage(images, undefined, 'riscv64'),
    several('several', /linux\/arm64/, /linux\/amd64/),
  );
  const tags = { manifests: ['a', 'b'].map((of) => manifest(of, { ...named(of), ...made('amd64') })) };
  assert.throws(
    () => chooseImage(imagesOfIndex(JSON.stringify(tags)), 'linux/amd64', 'amd64'),
    several('several'),
  );
});

test('images of docker save are known by any of their tags', () => {
  const text = JSON.stringify([
    { Config: `${'a'.repeat(64)}.json`, RepoTags: ['app:1', 'app:latest'], Layers: [] },
    { Config: `blobs/sha256/${'b'.repeat(64)}`, RepoTags: null, Layers: [] },
  ]);
  const images = imagesOfDockerManifest(text);
  assert.equal(chooseImage(images, 'app:latest', 'amd64'), 0);
  assert.equal(chooseImage(images, 'b'.repeat(64), 'amd64'), 1);
  assert.throws(() => chooseImage(images, undefined, 'amd64'), several('several', /app:1, app:latest/));
});

test('the only image of an archive needs no name, and a wrong one is told', () => {
  const images = imagesOfIndex(JSON.stringify({ manifests: [manifest('a', named('only'))] }));
  assert.equal(chooseImage(images, undefined, 'amd64'), 0);
  assert.throws(() => chooseImage(images, 'other', 'amd64'), several('several', /no image other/, /only/));
});

test('names of an archive cannot play with a terminal', () => {
  const images = imagesOfIndex(
    JSON.stringify({ manifests: [manifest('a', named('\u001b[31mred')), manifest('b')] }),
  );
  assert.throws(
    () => chooseImage(images, undefined, 'amd64'),
    (failure) => failure instanceof Error && !failure.message.includes('\u001b'),
  );
});
