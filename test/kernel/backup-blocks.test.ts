import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  constants,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { BackupBackend, SaveRequest, SaveResult } from '../../src/backup/backup.ts';
import { BlockBackups } from '../../src/backup/disks/block-backups.ts';
import { sizeName } from '../../src/backup/disks/block-layout.ts';
import { setTimes } from '../../src/host/data-ranges.ts';
import { kernelKnows } from '../../src/host/file-systems.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { mapShared } from '../../src/host/syscalls/libc.ts';
import { BtrfsPool } from '../../src/storage/btrfs/btrfs-pool.ts';
import { LoopGround } from '../../src/storage/btrfs/loop-ground.ts';
import { DirPool } from '../../src/storage/dir/dir-pool.ts';
import type { VolumeBackend } from '../../src/storage/volume.ts';
import { quietly, refused } from '../conformance/backups.ts';
import { runCommand } from '../support/command.ts';
import { resticIn } from '../support/restic.ts';
import { scratchDirectory } from '../support/scratch.ts';

const MIB = 1024 ** 2;
const GIB = 1024 * MIB;
const signal = new AbortController().signal;

/** A place on a disk, and what is written there. */
type Piece = readonly [place: number, bytes: Uint8Array];

async function write(path: string, size: number, pieces: readonly Piece[]): Promise<void> {
  await using file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  await file.truncate(size);
  for (const [place, bytes] of pieces) await file.write(bytes, 0, bytes.length, place);
}

/** Long before the copy, as a disk at rest is. */
const later = (): Date => new Date(Date.now() + 60_000);

/** A repository, and pools that share blocks and that do not. */
class World implements AsyncDisposable {
  readonly #scratch = scratchDirectory('blocks');
  readonly restic: BackupBackend;
  readonly backups: BackupBackend;
  readonly place: { readonly id: string; readonly url: string };
  readonly pools: Readonly<Record<'btrfs' | 'folder', VolumeBackend>>;
  /** Done to the folder that is saved, just before restic sees it. */
  meanwhile: (request: SaveRequest) => Promise<void> = async () => undefined;
  #copies = 0;

  private constructor() {
    const { path } = this.#scratch;
    this.restic = resticIn(path);
    this.backups = new BlockBackups(this.#watched());
    this.place = { id: '000000000001', url: join(path, 'repository') };
    mkdirSync(join(path, 'ground'));
    const ground = new LoopGround(join(path, 'ground/pool.btrfs'), join(path, 'ground/pool'), GIB);
    this.pools = {
      btrfs: new BtrfsPool(ground, 'blocks', join(path, 'btrfs.lock')),
      folder: new DirPool(join(path, 'folder'), 'blocks', join(path, 'folder.lock')),
    };
  }

  static async open(): Promise<World> {
    const world = new World();
    for (const pool of Object.values(world.pools)) await pool.open();
    await world.backups.add(world.place, {}, signal);
    return world;
  }

  #watched(): BackupBackend {
    const { restic } = this;
    return new Proxy(restic, {
      get: (_target, name) => {
        if (name === 'save') {
          return async (...[place, request]: Parameters<BackupBackend['save']>) => {
            await this.meanwhile(request);
            return restic.save(place, request);
          };
        }
        const value: unknown = Reflect.get(restic, name);
        return typeof value === 'function' ? value.bind(restic) : value;
      },
    });
  }

  async volume(pool: VolumeBackend, name: string): Promise<string> {
    await pool.createVolume(name, 512 * MIB);
    return pool.volumePath(name);
  }

  /** As the engine saves a volume: its copy, and the copy only. */
  async save(
    pool: VolumeBackend,
    volume: string,
    parent?: SaveResult,
    copiedAfter: Date = later(),
  ): Promise<SaveResult> {
    this.#copies += 1;
    const copy = `copy-${this.#copies}`;
    await pool.cloneVolume({ volume }, copy, 512 * MIB);
    const folder = pool.volumePath(copy);
    const names = readdirSync(folder);
    const labels = { kind: 'vps' };
    const disks = { names, copiedAfter };
    const result = await this.backups.save(this.place, {
      ...{ folder, labels, disks, parent: parent?.saved.id },
      ...quietly,
    });
    await pool.deleteVolume(copy);
    return result;
  }

  async restore({ saved }: SaveResult, target: string): Promise<void> {
    await this.backups.restore(this.place, saved.id, { target, verify: true, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pool of Object.values(this.pools)) await pool.close();
    this.#scratch[Symbol.dispose]();
  }
}

async function same(one: string, other: string): Promise<void> {
  const { code, stdout, stderr } = await runCommand(['cmp', one, other]);
  assert.equal(code, 0, stdout + stderr);
}

const ODD = 70 * MIB + 1234;
const some = (size: number): Uint8Array => randomBytes(size);
const SHAPES: readonly { readonly name: string; readonly size: number; readonly pieces: readonly Piece[] }[] =
  [
    {
      name: 'ends.raw',
      size: ODD,
      pieces: [
        [0, some(5000)],
        [ODD - 777, some(777)],
      ],
    },
    {
      name: 'middle.raw',
      size: 128 * MIB,
      pieces: [
        [63 * MIB, some(2 * MIB)],
        [70 * MIB + 4096, some(4096)],
      ],
    },
    { name: 'holes.raw', size: 16 * MIB, pieces: [] },
    { name: 'no-size', size: 0, pieces: [] },
    { name: 'short', size: 100, pieces: [[0, some(100)]] },
    { name: 'variables.fd', size: 540_672, pieces: [[0, some(540_672)]] },
  ];

async function fill(folder: string): Promise<void> {
  await Promise.all(
    SHAPES.map(async ({ name, size, pieces }, index) => {
      const path = join(folder, name);
      await write(path, size, pieces);
      chownSync(path, 10 + index, 20 + index);
      chmodSync(path, index % 2 === 0 ? 0o600 : 0o640);
    }),
  );
}

async function compare(source: string, target: string): Promise<void> {
  assert.deepEqual(readdirSync(target).toSorted(), SHAPES.map(({ name }) => name).toSorted());
  for (const { name } of SHAPES) {
    await same(join(source, name), join(target, name));
    const [was, is] = [statSync(join(source, name)), statSync(join(target, name))];
    assert.deepEqual([is.size, is.mode, is.uid, is.gid], [was.size, was.mode, was.uid, was.gid], name);
    assert.ok(is.blocks * 512 <= was.blocks * 512 + MIB, `${name}: ${is.blocks} blocks of ${was.blocks}`);
  }
}

async function checkAll(t: TestContext): Promise<void> {
  await using world = await World.open();
  const { btrfs, folder } = world.pools;

  await t.test('disks come back with their holes from and to every kind of pool', async () => {
    for (const [kind, pool] of Object.entries(world.pools)) {
      const source = await world.volume(pool, 'shapes');
      await fill(source);
      const result = await world.save(pool, 'shapes');
      const allocated = SHAPES.reduce((sum, { name }) => sum + statSync(join(source, name)).blocks * 512, 0);
      const inside = await world.restic.entries(world.place, result.saved.id, '', signal);
      assert.ok(inside.every(({ type }) => type === (kind === 'btrfs' ? 'directory' : 'file')));
      if (kind === 'btrfs') assert.ok(result.size < allocated + MIB, `${result.size} of ${allocated}`);
      else
        assert.equal(
          result.size,
          SHAPES.reduce((sum, { size }) => sum + size, 0),
        );
      const shown = await world.backups.entries(world.place, result.saved.id, '', signal);
      assert.deepEqual(
        shown.map(({ name, size, type }) => `${type} ${name} ${size}`).toSorted(),
        SHAPES.map(({ name, size }) => `file ${name} ${size}`).toSorted(),
      );
      for (const to of [btrfs, folder]) {
        const target = await world.volume(to, `from-${kind}`);
        await world.restore(result, target);
        await compare(source, target);
      }
      await pool.deleteVolume('shapes');
    }
  });

  await t.test('one disk of several comes back alone', async () => {
    await fill(await world.volume(btrfs, 'several'));
    const { saved } = await world.save(btrfs, 'several');
    const target = await world.volume(btrfs, 'alone');
    const except = SHAPES.map(({ name }) => name).filter((name) => name !== 'ends.raw');
    await world.backups.restore(world.place, saved.id, { target, except, signal });
    assert.deepEqual(readdirSync(target), ['ends.raw']);
    const [disk, gone] = ['ends.raw', 'nothing'].map((name) =>
      world.backups.look(world.place, saved.id, name, signal),
    );
    assert.equal((await disk)?.size, ODD);
    assert.equal(await gone, undefined);
  });

  await t.test('a disk that did not change is not read again, one that did is', async () => {
    const disk = join(await world.volume(btrfs, 'rest'), 'disk.raw');
    await write(disk, 128 * MIB, [[0, some(8 * MIB)]]);
    const first = await world.save(btrfs, 'rest');
    // What is there now is not what the disk holds: who reads it would save it.
    world.meanwhile = async ({ folder: saved }) => {
      const path = join(saved, 'disk.raw.blocks', '0'.repeat(16));
      const { mtimeNs } = statSync(path, { bigint: true });
      await using file = await open(path, 'r+');
      await file.write(Buffer.alloc(8 * MIB), 0, 8 * MIB, 0);
      setTimes(file.fd, mtimeNs);
    };
    const second = await world.save(btrfs, 'rest', first);
    world.meanwhile = async () => undefined;
    assert.equal(second.size, first.size);
    assert.ok(second.added < 100_000, `${second.added} bytes added`);
    const target = await world.volume(btrfs, 'unread');
    await world.restore(second, target);
    await same(disk, join(target, 'disk.raw'));

    await write(disk, 128 * MIB, [[100 * MIB, some(MIB)]]);
    const third = await world.save(btrfs, 'rest', second);
    assert.equal(third.size, first.size + MIB);
    assert.ok(third.added > MIB && third.added < 2 * MIB, `${third.added} bytes added`);
    const again = await world.volume(btrfs, 'changed');
    await world.restore(third, again);
    await same(disk, join(again, 'disk.raw'));
  });

  await t.test('what changed is noticed when the time of last modification was set back', async () => {
    const disk = join(await world.volume(btrfs, 'back'), 'disk.raw');
    await write(disk, 64 * MIB, [[0, some(4 * MIB)]]);
    const { atime, mtime } = statSync(disk);
    utimesSync(disk, atime, mtime);
    const first = await world.save(btrfs, 'back');
    await write(disk, 64 * MIB, [[MIB, some(4096)]]);
    utimesSync(disk, atime, mtime);
    const target = await world.volume(btrfs, 'back-again');
    await world.restore(await world.save(btrfs, 'back', first), target);
    await same(disk, join(target, 'disk.raw'));
  });

  await t.test('what a mapping writes into a page that was written to before is noticed', async () => {
    const disk = join(await world.volume(btrfs, 'mapped'), 'disk.raw');
    await write(disk, 64 * MIB, [[0, some(4 * MIB)]]);
    await using file = await open(disk, 'r+');
    const mapping = mapShared(file.fd, MIB, 0);
    try {
      mapping.bytes.fill('a', 0, 4096);
      const first = await world.save(btrfs, 'mapped');
      mapping.bytes.fill('b', 0, 4096);
      const target = await world.volume(btrfs, 'mapped-again');
      await world.restore(await world.save(btrfs, 'mapped', first), target);
      await using restored = await open(join(target, 'disk.raw'));
      assert.equal((await restored.read(Buffer.alloc(4096), 0, 4096, 0)).buffer.toString(), 'b'.repeat(4096));
    } finally {
      mapping.unmap();
    }
  });

  await t.test('a disk that was written to as it was copied is read again the next time', async () => {
    const disk = join(await world.volume(btrfs, 'busy'), 'disk.raw');
    await write(disk, 64 * MIB, [[0, some(4 * MIB)]]);
    const times: number[] = [];
    world.meanwhile = async ({ folder: saved }) => {
      times.push(statSync(join(saved, 'disk.raw.blocks', '0'.repeat(16))).mtime.getUTCFullYear());
    };
    const copiedAfter = statSync(disk).ctime;
    const first = await world.save(btrfs, 'busy', undefined, copiedAfter);
    await world.save(btrfs, 'busy', first);
    world.meanwhile = async () => undefined;
    assert.deepEqual(times, [1970, statSync(disk).ctime.getUTCFullYear()]);
  });

  await t.test('a backup of whole disks is restored, and a parent of the next', async () => {
    const source = await world.volume(btrfs, 'old');
    await fill(source);
    const whole = await world.restic.save(world.place, {
      folder: source,
      labels: { kind: 'vps' },
      ...quietly,
    });
    const next = await world.save(btrfs, 'old', whole);
    for (const [index, result] of [whole, next].entries()) {
      const target = await world.volume(btrfs, `old-${index}`);
      await world.restore(result, target);
      await compare(source, target);
    }
  });

  await t.test('a folder in which a guest sets times is saved as it is', async () => {
    const source = await world.volume(btrfs, 'mixed');
    await write(join(source, 'disk.raw'), 8 * MIB, [[0, some(4096)]]);
    mkdirSync(join(source, 'upper'));
    const seen: unknown[] = [];
    world.meanwhile = async (request) => {
      seen.push(request.trustTimes, ...readdirSync(request.folder).toSorted());
    };
    await world.save(btrfs, 'mixed');
    world.meanwhile = async () => undefined;
    assert.deepEqual(seen, [false, 'disk.raw', 'upper']);
  });

  await t.test('a disk that a repository made up is refused, and leaves nothing', async () => {
    const crafted: Readonly<Record<string, (blocks: string) => Promise<void> | void>> = {
      link: (blocks) => symlinkSync('/etc/passwd', join(blocks, '0'.repeat(16))),
      outside: (blocks) => write(join(blocks, '0000000001048575'), 2, [[0, some(2)]]),
      folder: (blocks) => void mkdirSync(join(blocks, '0'.repeat(16))),
      stranger: (blocks) => write(join(blocks, 'stranger'), 10, [[0, some(10)]]),
      twice: (blocks) => write(join(blocks, '..', 'disk.raw'), 10, [[0, some(10)]]),
      sizes: (blocks) => write(join(blocks, sizeName(5)), 0, []),
    };
    for (const [what, craft] of Object.entries(crafted)) {
      const source = await world.volume(folder, `crafted-${what}`);
      const blocks = join(source, 'disk.raw.blocks');
      mkdirSync(blocks);
      await write(join(blocks, sizeName(MIB)), 0, []);
      await craft(blocks);
      const { saved } = await world.restic.save(world.place, {
        ...{ folder: source, labels: { what } },
        ...quietly,
      });
      const target = await world.volume(folder, `refused-${what}`);
      const restored = world.backups.restore(world.place, saved.id, { target, signal });
      await assert.rejects(restored, refused('backup_damaged'), what);
      assert.deepEqual(readdirSync(target), [], what);
    }
  });

  await t.test('a disk for which there is no room leaves nothing', async () => {
    const disk = join(await world.volume(btrfs, 'large'), 'disk.raw');
    await write(disk, 64 * MIB, [[0, some(24 * MIB)]]);
    const result = await world.save(btrfs, 'large');
    await btrfs.createVolume('narrow', 16 * MIB);
    await assert.rejects(world.restore(result, btrfs.volumePath('narrow')), refused('insufficient_disk'));
    truncateSync(disk, 0);
  });
}

if (!hasProgram('restic')) test('blocks', (t) => t.skip('the program restic is not installed'));
else if (!hasProgram('mkfs.btrfs') || !(await kernelKnows('btrfs'))) {
  test('blocks', (t) => t.skip('this host has no btrfs'));
} else test('backups save the allocated blocks of disks', checkAll);
