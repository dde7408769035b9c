import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { silentLogger } from '../../src/core/logger.ts';
import { mountsUnder } from '../../src/host/mounts.ts';
import { readHostArchive } from '../../src/images/host-sources.ts';
import type { ImageProgress, ImageStore } from '../../src/images/image-store.ts';
import { openImageStore } from '../../src/images/local-image-store.ts';
import { DirPool } from '../../src/storage/dir/dir-pool.ts';
import { jailsIn } from '../support/jails.ts';
import { ITS_LONG_FORM, LONG_FORM } from '../support/long-form.ts';
import { startMirror } from '../support/mirror.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';

const never = new AbortController().signal;
const SCRIPT = join(import.meta.dirname, '../support/image-build.ts');
const REQUEST = { name: 'debian/12', include: [] };

/** Ids of processes whose arguments name this folder. */
const processesOf = (folder: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        pid !== String(process.pid) &&
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder)
      );
    } catch {
      return false;
    }
  });

/** Whether a process, if it is still there, takes a package apart. */
function unpacksOne(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'dpkg-deb';
  } catch {
    return false;
  }
}

const unfinished = (cache: string): string[] =>
  readdirSync(join(cache, 'images')).filter((name) => name.startsWith('.building-'));

test('a build that loses its mirror, is cancelled and is killed goes on with what it has, and leaves nothing running', async (t) => {
  const archive = await readHostArchive();
  if (!archive.main.startsWith('http'))
    return t.skip(`the archive is ${archive.main}, which no mirror can hand on`);
  using scratch = scratchDirectory('images-interrupted');
  await using mirror = await startMirror(archive);
  const aptFolder = mirror.sourcesIn(join(scratch.path, 'apt'));
  const cache = join(scratch.path, 'cache');
  const root = join(scratch.path, 'pool');
  const open = async (): Promise<ImageStore> => {
    const pool = new DirPool(root, 'test', `${root}.lock`);
    await pool.open();
    return openImageStore({
      pool,
      cacheDirectory: cache,
      aptFolder,
      logger: silentLogger,
      jails: jailsIn(scratch.path),
    });
  };
  const build = async (onProgress: (progress: ImageProgress) => void, signal = never): Promise<string> =>
    (await (await open()).build('default', REQUEST, onProgress, signal)).id;
  const quiet = (): Promise<void> =>
    eventually('no process and no mount of the build is left', () => {
      return processesOf(cache).length === 0 && mountsUnder(cache).length === 0;
    });

  await t.test('losing the mirror is told by its cause', async () => {
    mirror.remaining = 85;
    await assert.rejects(
      build(() => undefined),
      { code: 'build_failed', message: /Failed to fetch mirror:/ },
    );
    assert.deepEqual(unfinished(cache), []);
    await quiet();
  });
  const before = mirror.served.length;

  await t.test('the next try downloads only what is missing; cancelling ends it all', async () => {
    mirror.remaining = undefined;
    const cancel = new AbortController();
    let unpacks: Promise<void> | undefined;
    const onProgress = ({ step }: ImageProgress): void => {
      if (step !== 'install packages') return;
      unpacks ??= eventually('it unpacks', () => processesOf(cache).some(unpacksOne), 60_000).finally(() =>
        cancel.abort(),
      );
    };
    await assert.rejects(build(onProgress, cancel.signal), { code: 'cancelled' });
    await unpacks;
    const twice = mirror.served.filter((path, index) => mirror.served.indexOf(path) !== index);
    assert.ok(before >= 30 && twice.length <= 3, `${before} came first, ${twice.length} came again`);
    assert.deepEqual(unfinished(cache), []);
    await quiet();
  });
  const downloaded = mirror.served.length;

  await t.test('killing the process that builds ends mmdebstrap and its mounts', async () => {
    const child = spawn(process.execPath, [SCRIPT, root, cache, aptFolder, REQUEST.name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface(child.stdout)) {
      const { step, done = 0 }: ImageProgress = JSON.parse(line);
      if (step === 'install packages' && done > 10) break;
    }
    assert.notDeepEqual(processesOf(cache), []);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    await quiet();
    assert.equal(unfinished(cache).length, 1);
    await open();
    assert.deepEqual(unfinished(cache), []);
  });

  await t.test('two builds at once make one build and two images, without a download', async (whole) => {
    if (!LONG_FORM) return whole.skip(ITS_LONG_FORM);
    const builds: string[] = [];
    const watch = ({ step }: ImageProgress): void => {
      if (step === 'disk') builds.push(step);
    };
    const store = await open();
    const [one, other] = await Promise.all(
      ['default', 'shop'].map((project) => store.build(project, REQUEST, watch, never)),
    );
    assert.notEqual(one?.id, other?.id);
    assert.equal(one?.digest, other?.digest);
    assert.equal(builds.length, 1);
    assert.equal(mirror.served.length, downloaded);
    assert.equal(store.list().length, 2);
    const share = globSync(join(cache, 'images/*/rootfs/usr/share'))[0] ?? '';
    const read = ['man', 'info', 'doc', 'locale'].flatMap((name) =>
      globSync(`${name}/**`, { cwd: share, withFileTypes: true }).filter((entry) => !entry.isDirectory()),
    );
    assert.ok(read.length > 50, share);
    assert.deepEqual(
      read.map(({ name }) => name).filter((name) => name !== 'copyright' && name !== 'locale.alias'),
      [],
    );
    assert.deepEqual(globSync(join(share, '../../etc/dpkg/dpkg.cfg.d/*')), []);
  });
});
