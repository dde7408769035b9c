import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contained, countWork, renderBootstrap } from './bootstrap.ts';
import { diskSize, renderMakeDisk } from './disk-image.ts';
import { guestFiles } from './guest-files.ts';
import { readHostArchive } from './host-sources.ts';
import { loadOrder, parseModulesDep } from './kernel-modules.ts';
import { kernelPackageFile, parseDownloadPercent, parsePrintUris, supersededFiles } from './package-list.ts';
import { digestOf, recipeOf } from './recipe.ts';
import { requireSpace } from './space.ts';

test('the name debian/13 tells the suite, and another name must be given one', () => {
  assert.equal(recipeOf({ name: 'debian/13', include: [] }, 'amd64').suite, 'trixie');
  assert.equal(recipeOf({ name: 'debian/12/web', include: ['nginx'] }, 'amd64').suite, 'bookworm');
  assert.throws(() => recipeOf({ name: 'debian/123', include: [] }, 'amd64'), { code: 'invalid_request' });
  assert.equal(
    recipeOf({ name: 'web', suite: 'bookworm', include: [] }, 'arm64').kernelPackage,
    'linux-image-cloud-arm64',
  );
  assert.throws(() => recipeOf({ name: 'web', include: [] }, 'amd64'), {
    code: 'invalid_request',
    message: /web/,
  });
});

test('what is included counts once and in any order, and changes the digest', () => {
  const digest = (...include: string[]): string =>
    digestOf(recipeOf({ name: 'debian/12', include }, 'amd64'));
  assert.equal(digest('nginx', 'python3'), digest('python3', 'nginx', 'python3', 'systemd'));
  assert.notEqual(digest('nginx'), digest());
});

test('mmdebstrap gets packages and lists from folders and the sources last', () => {
  const recipe = recipeOf({ name: 'debian/12', include: ['nginx'] }, 'amd64');
  const argv = renderBootstrap(recipe, {
    target: '/t',
    debs: '/d',
    lists: '/l',
    sources: '/s/debian.sources',
  });
  assert.deepEqual(argv.slice(-3), ['bookworm', '/t', '/s/debian.sources']);
  assert.ok(argv.includes('--skip=update,check/empty,essential/unlink'));
  assert.ok(argv.includes("--setup-hook=sync-in '/d' /var/cache/apt/archives"));
  assert.match(argv.find((word) => word.startsWith('--include=')) ?? '', /,nginx,/);
  assert.deepEqual(contained(['x']).slice(-2), ['--', 'x']);
});

test('work is counted in packages unpacked and set up', () => {
  assert.equal(countWork('Unpacking a (1) ...'), 1);
  assert.equal(countWork('Setting up a (1) ...\nProcessing triggers for b\nUnpacking c'), 2);
});

test("apt's list of files is read, with the kernel among them", () => {
  const files = parsePrintUris(
    "'http://m.example/a_1%3a2_amd64.deb' a_1%3a2_amd64.deb 120 SHA256:ab\nReading...\n'http://m.example/linux-image-6.1.0-9-cloud-amd64_6.1_amd64.deb' linux-image-6.1.0-9-cloud-amd64_6.1_amd64.deb 7 \n'x' linux-image-cloud-amd64_6.1_amd64.deb 1 SHA256:c\n",
  );
  assert.deepEqual(files[0], { file: 'a_1%3a2_amd64.deb', size: 120, hash: 'SHA256:ab' });
  assert.equal(files.length, 3);
  assert.equal(kernelPackageFile(files)?.size, 7);
});

test('the percentage of a download is the last that was told', () => {
  assert.equal(parseDownloadPercent('dlstatus:1:3.5:Retrieving\ndlstatus:2:60.25:Retrieving\n'), 60.25);
  assert.equal(parseDownloadPercent('Get:1 x'), undefined);
});

test('modules load after those they need, virtio_ring before virtio', () => {
  const dependencies = parseModulesDep(
    'kernel/b/virtio_blk.ko.xz: kernel/v/virtio.ko.xz kernel/v/virtio_ring.ko.xz\nkernel/v/virtio.ko.xz: kernel/v/virtio_ring.ko.xz\nkernel/v/virtio_ring.ko.xz:\n',
  );
  assert.deepEqual(loadOrder(['virtio_blk', 'ext4', 'nonesuch'], dependencies, 'kernel/fs/ext4/ext4.ko\n'), {
    paths: ['kernel/v/virtio_ring.ko.xz', 'kernel/v/virtio.ko.xz', 'kernel/b/virtio_blk.ko.xz'],
    missing: ['nonesuch'],
  });
});

test('a disk is whole MiB, larger than its content, and larger with each try', () => {
  const content = 300_000_001;
  assert.equal(diskSize(content) % 2 ** 20, 0);
  assert.ok(diskSize(content) > content);
  assert.ok(diskSize(content, 1) > diskSize(content));
  assert.equal(renderMakeDisk('/r', '/d', 2 ** 20).at(-1), '1024k');
});

test('no file of the guest lies outside of it, and none is there twice', () => {
  const paths = guestFiles('x').map(({ path }) => path);
  assert.deepEqual(
    paths.filter((path) => path.startsWith('/') || path.includes('..')),
    [],
  );
  assert.equal(new Set(paths).size, paths.length);
});

test('only another version of a resolved package is superseded', () => {
  const current = [{ file: 'a_2_amd64.deb', size: 1, hash: '' }];
  assert.deepEqual(supersededFiles(['a_1_amd64.deb', 'a_2_amd64.deb', 'ab_1_amd64.deb', 'lock'], current), [
    'a_1_amd64.deb',
  ]);
});

test('too little space is refused with what is needed and what is there', () => {
  requireSpace(10, { free: 10 }, '/x');
  assert.throws(() => requireSpace(3 * 2 ** 20, { free: 2 ** 20 }, '/x'), {
    code: 'insufficient_disk',
    message: /needs 3 MiB; 1 MiB are free at \/x/,
  });
});

test('a host whose apt knows no Debian archive is unfit, and is told where to add one', async () => {
  await assert.rejects(readHostArchive('/nonexistent'), { code: 'host_unfit', remedy: /sources\.list\.d/ });
});
