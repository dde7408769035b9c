import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createNaming, type Naming, poolDirectory, poolFile } from '../../src/core/naming.ts';
import { createSubvolume, isSubvolume, quotaMode } from '../../src/host/btrfs.ts';
import { kernelKnows } from '../../src/host/file-systems.ts';
import { cloneMount, mountsUnder, unmount } from '../../src/host/mounts.ts';
import { UserNamespaces } from '../../src/host/user-namespaces.ts';
import { openPool } from '../../src/storage/registry.ts';
import { noLoopsLeft } from '../support/loops.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';

const MIB = 1024 ** 2;
const SIZE = 512 * MIB;
const options = { backend: 'auto', size: SIZE } as const;

interface Place {
  readonly naming: Naming;
  readonly file: string;
  readonly directory: string;
}

/** A state directory of its own; at the end nothing of its pool may be left on the host. */
async function inPlace(body: (place: Place) => Promise<void>): Promise<void> {
  using scratch = scratchDirectory('repair');
  const naming = createNaming(join(scratch.path, 'state'), join(scratch.path, 'run'));
  const place = { naming, file: poolFile(naming), directory: poolDirectory(naming) };
  mkdirSync(dirname(place.file), { recursive: true });
  try {
    await body(place);
  } finally {
    for (const { target } of mountsUnder(scratch.path).reverse()) unmount(target);
    await noLoopsLeft(place.file);
  }
}

const draftOf = (file: string): string => `${file}.making-of-another`;
const drafts = (file: string): string[] =>
  readdirSync(dirname(file)).filter((name) => name.startsWith(`${basename(file)}.making`));
const sh = (...argv: string[]): string => execFileSync(argv[0] ?? '', argv.slice(1), { encoding: 'utf8' });
const loopsOf = (file: string): string =>
  existsSync(file) ? sh('losetup', '--noheadings', '--output', 'NAME', '--associated', file).trim() : '';

/** Opens it and uses it: a volume, its limit, an image; then closes it and sees that nothing is left. */
async function assertWhole({ naming, file, directory }: Place): Promise<void> {
  const pool = await openPool(options, naming);
  assert.deepEqual(pool.features, { quota: true, reflink: true, snapshots: true, grow: true });
  assert.equal((await pool.info()).size, SIZE);
  await pool.createVolume('v1', 64 * MIB);
  assert.equal((await pool.usage('v1')).limit, 64 * MIB);
  await pool.deleteVolume('v1');
  assert.deepEqual(await pool.listVolumes(), []);
  assert.deepEqual(drafts(file), []);
  assert.equal(mountsUnder(directory).length, 1);
  await pool.close();
  assert.deepEqual(mountsUnder(directory), []);
  await noLoopsLeft(file);
}

/** Each leaves what a kill after that step of the first opening leaves. */
const STEPS: readonly (readonly [string, (place: Place) => void])[] = [
  ['the empty draft', ({ file }) => writeFileSync(draftOf(file), '')],
  [
    'the draft with its size',
    ({ file }) => {
      writeFileSync(draftOf(file), '');
      truncateSync(draftOf(file), SIZE);
    },
  ],
  ['the draft with its file system', ({ file }) => makeFile(draftOf(file))],
  ['the whole file', ({ file }) => makeFile(file)],
  [
    'a loop device that is not mounted',
    ({ file }) => {
      makeFile(file);
      sh('losetup', '--find', file);
    },
  ],
  [
    'a mount of an attached loop device that does not go by itself',
    ({ file, directory }) => {
      makeFile(file);
      mkdirSync(directory);
      sh('mount', sh('losetup', '--find', '--show', file).trim(), directory);
    },
  ],
  ['the mount without quota and folders', ({ file, directory }) => mountFile(file, directory)],
  [
    'some folders, a claim and a half-made volume',
    ({ file, directory, naming }) => {
      mountFile(file, directory);
      writeFileSync(
        join(directory, '.mullion-pool'),
        JSON.stringify({ instance: naming.instance, backend: 'btrfs' }),
      );
      writeFileSync(join(directory, `.mullion-pool.${naming.instance}`), '{"inst');
      mkdirSync(join(directory, 'making'));
      createSubvolume(join(directory, 'making', 'v1'));
      createSubvolume(join(directory, 'making', 'v1', 'nested'));
    },
  ],
];

function makeFile(path: string): void {
  sh('truncate', '--size', String(SIZE), path);
  sh('mkfs.btrfs', '--quiet', path);
}

function mountFile(file: string, directory: string): void {
  makeFile(file);
  mkdirSync(directory);
  sh('mount', '-o', 'loop', file, directory);
}

/** Where the first of the two copies of all trees lies in a pool's file (btrfs-inspect-internal(8)). */
function firstCopyOfTrees(file: string): { start: number; end: number } {
  const chunks = sh('btrfs', 'inspect-internal', 'dump-tree', '-t', 'chunk', file);
  const [, length, start] =
    /length (\d+) owner 2 stripe_len \d+ type METADATA\|DUP[\s\S]*?stripe 0 devid 1 offset (\d+)/.exec(
      chunks,
    ) ?? [];
  assert.ok(length !== undefined && start !== undefined, chunks);
  return { start: Number(start), end: Number(start) + Number(length) };
}

/** Changes a bit wherever these bytes lie in a part of a file that a loop device reads; how often that was. */
const damage = (file: string, bytes: Buffer) => ({
  from(start: number, end: number): number {
    const fd = openSync(file, 'r+');
    try {
      const piece = Buffer.alloc(8 * MIB);
      const places = new Set<number>();
      for (let at = start; at < end; at += piece.length - bytes.length) {
        const length = readSync(fd, piece, 0, Math.min(piece.length, end - at), at);
        for (let found = -1; ; ) {
          found = piece.subarray(0, length).indexOf(bytes, found + 1);
          if (found < 0) break;
          places.add(at + found);
        }
      }
      for (const place of places) writeSync(fd, Buffer.of((bytes[0] ?? 0) ^ 1), 0, 1, place);
      fsyncSync(fd);
      return places.size;
    } finally {
      closeSync(fd);
    }
  },
});

function readUncached(path: string): void {
  writeFileSync('/proc/sys/vm/drop_caches', '1');
  readFileSync(path);
}

const unable = (await kernelKnows('btrfs')) ? undefined : 'this kernel has no btrfs';
const check = (title: string, body: (place: Place) => Promise<void>): void => {
  test(title, async (t) => {
    if (unable !== undefined) return t.skip(unable);
    await inPlace(body);
  });
};

/** Mounts in a namespace of their own: what other tests start meanwhile has no copies of them, which would hold the loops. */
if (enterPrivateNetns(import.meta.url)) {
  for (const [step, leave] of STEPS) {
    check(
      `a pool whose making was killed and left ${step} is whole after the next opening`,
      async (place) => {
        leave(place);
        await assertWhole(place);
      },
    );
  }

  check('a process that opens a pool can be killed at any moment', async (place) => {
    const script = `import { openPool } from '${new URL('../../src/storage/registry.ts', import.meta.url).href}';
    console.log('begun');
    const pool = await openPool(${JSON.stringify(options)}, ${JSON.stringify(place.naming)});
    console.log('opened');
    for (let n = 0; ; n += 1) { await pool.createVolume('k' + n, 1048576); await pool.deleteVolume('k' + n); }`;
    let opened = 0;
    // In small steps at first; a machine with other work takes longer than any step foresees.
    for (let delay = 0; delay < 5_000 && opened < 4; delay += delay < 160 ? 8 : 200) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let told = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        told += text;
      });
      await eventually('it has begun', () => told !== '', 10_000);
      await sleep(delay);
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      if (told.includes('opened')) opened += 1;
      const pool = await openPool(options, place.naming);
      for (const id of await pool.listVolumes()) {
        assert.equal((await pool.usage(id)).limit, 1048576, 'no volume is without its limit');
        await pool.deleteVolume(id);
      }
      if (opened === 0) {
        await pool.close();
        await noLoopsLeft(place.file);
        sh('rm', '--force', place.file);
      }
    }
    assert.ok(opened > 0, 'the delays reached the end of the opening');
    await assertWhole(place);
  });

  check(
    'a grow that was killed after the file had grown is finished by the next opening',
    async ({ naming, file }) => {
      const first = await openPool(options, naming);
      truncateSync(file, 2 * SIZE);
      const again = await openPool(options, naming);
      assert.equal((await again.info()).size, 2 * SIZE);
      await first.close();
      truncateSync(file, 3 * SIZE);
      const later = await openPool(options, naming);
      assert.equal((await later.info()).size, 3 * SIZE);
      await later.close();
    },
  );

  check('a file without btrfs is not overwritten', async ({ naming, file }) => {
    writeFileSync(file, 'a letter to my bank');
    await assert.rejects(openPool(options, naming), { code: 'host_unfit', message: /holds no btrfs/ });
    assert.equal(readFileSync(file, 'utf8'), 'a letter to my bank');
  });

  check(
    'a pool larger than the file system below is refused, and nothing is made',
    async ({ naming, file }) => {
      const { bavail, bsize } = statfsSync(dirname(file));
      const wanted = { backend: 'auto', size: bavail * bsize + 1024 * MIB } as const;
      await assert.rejects(openPool(wanted, naming), { code: 'insufficient_disk' });
      await assert.rejects(openPool({ backend: 'auto', size: MIB }, naming), { code: 'invalid_request' });
      assert.equal(existsSync(file), false);
      assert.deepEqual(drafts(file), []);
    },
  );

  check('the loop file is sparse', async ({ naming, file }) => {
    const pool = await openPool({ backend: 'btrfs', size: 4096 * MIB }, naming);
    const { size, blocks } = statSync(file);
    assert.equal(size, 4096 * MIB);
    assert.ok(blocks * 512 < 64 * MIB, `${blocks * 512} bytes are allocated`);
    await pool.close();
  });

  check('something else at the mount point is left alone', async ({ naming, directory }) => {
    mkdirSync(directory);
    sh('mount', '-t', 'tmpfs', 'tmpfs', directory);
    await assert.rejects(openPool(options, naming), { code: 'in_use', remedy: /umount/ });
    assert.equal(mountsUnder(directory)[0]?.fstype, 'tmpfs');
  });

  check('a pool folder of another installation is refused', async ({ naming, directory }) => {
    const pool = await openPool(options, naming);
    const stranger = createNaming(`${naming.stateDirectory}-2`, naming.runDirectory);
    await assert.rejects(openPool({ ...options, path: directory }, stranger), { code: 'in_use' });
    await assert.rejects(openPool({ ...options, backend: 'dir', path: directory }, stranger), {
      code: 'in_use',
    });
    await pool.close();
  });

  check(
    'a volume with nested and read-only subvolumes, files without owner and a living idmapped mount is deleted',
    async ({ naming, directory }) => {
      const pool = await openPool(options, naming);
      await pool.createVolume('v1', 64 * MIB);
      const path = pool.volumePath('v1');
      for (const inner of ['a', 'a/b', 'a/b/c', 'd']) createSubvolume(join(path, inner));
      sh('btrfs', 'property', 'set', '-ts', join(path, 'd'), 'ro', 'true');
      const shown = join(dirname(directory), 'shown');
      mkdirSync(shown);
      const namespaces = new UserNamespaces();
      cloneMount(path, shown, { userNamespace: await namespaces.acquire(0x7000_0000, 65_536) });
      namespaces.close();
      sh('chown', '123456789:123456789', path);
      await pool.deleteVolume('v1');
      assert.equal(existsSync(path), false);
      assert.equal(isSubvolume(join(path, 'a/b')), false);
      assert.equal(sh('btrfs', 'subvolume', 'list', directory).includes('v1'), false);
      await pool.createVolume('v1', 64 * MIB);
      unmount(shown);
      await pool.close();
    },
  );

  check(
    'damage that has a second copy is repaired and told, and damage that has none is told as such',
    async ({ naming, file, directory }) => {
      // Before it has simple quota, which the tool that tells where trees lie may not know.
      makeFile(file);
      const copy = firstCopyOfTrees(file);
      const pool = await openPool(options, naming);
      const look = () => pool.check(() => undefined, new AbortController().signal);
      await pool.createVolume('v1', 64 * MIB);
      const name = 'a-name-that-stands-nowhere-but-in-the-tree';
      const content = randomBytes(MIB);
      writeFileSync(join(pool.volumePath('v1'), name), content, { flush: true });
      sh('btrfs', 'filesystem', 'sync', directory);
      assert.deepEqual(await look(), { repaired: 0 });

      const damaged = damage(file, Buffer.from(name)).from(copy.start, copy.end);
      assert.ok(damaged > 0, 'the name is in the first copy of the trees');
      const { repaired } = await look();
      assert.ok(repaired > 0, 'what was repaired is told');
      assert.deepEqual(await look(), { repaired: 0 });

      assert.equal(damage(file, content.subarray(8192, 8192 + 64)).from(0, SIZE), 1);
      await assert.rejects(look(), {
        code: 'command_failed',
        message: /^1 blocks of the pool are damaged and have no second copy\.$/,
        remedy: /dmesg/,
      });
      assert.throws(() => readUncached(join(pool.volumePath('v1'), name)), { code: 'EIO' });
      await pool.close();
    },
  );

  check(
    'a pool that running machines still use is found again after close',
    async ({ naming, directory, file }) => {
      const pool = await openPool(options, naming);
      await pool.createVolume('v1', 64 * MIB);
      const held = join(dirname(directory), 'held');
      mkdirSync(held);
      cloneMount(pool.volumePath('v1'), held);
      await pool.close();
      const again = await openPool(options, naming);
      writeFileSync(join(held, 'from-the-machine'), 'x');
      assert.equal(readFileSync(join(again.volumePath('v1'), 'from-the-machine'), 'utf8'), 'x');
      assert.equal(loopsOf(file).split('\n').length, 1, 'one loop device, not two over one file');
      assert.equal(quotaMode(directory), 'simple');
      unmount(held);
      await again.close();
    },
  );
}
