import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { refused } from '../conformance/backups.ts';
import {
  faultTest,
  filesBelow,
  Ground,
  locksOf,
  MIB,
  resticsOf,
  signal,
  stoppedBackup,
} from '../support/backup-ground.ts';
import { runCommand } from '../support/command.ts';
import { scratchDirectory } from '../support/scratch.ts';

faultTest('a restic that is killed at any moment leaves a repository that works', async () => {
  using ground = new Ground();
  await ground.backend.add(ground.place, {}, signal);
  let whole = 0;
  for (const part of [0.1, 0.6, 0.95]) {
    let killed = false;
    const save = ground.backend.save(ground.place, {
      folder: ground.source,
      labels: { a: '1' },
      signal,
      onProgress: ({ done, total }) => {
        if (killed || done < part * total) return;
        killed = true;
        for (const pid of resticsOf(ground.place)) process.kill(pid, 'SIGKILL');
      },
    });
    const ended = await save.then(
      () => 'saved',
      () => 'failed',
    );
    if (ended === 'saved') whole += 1;
    assert.ok(killed || ended === 'saved', 'it was killed at its work');
  }
  assert.ok(whole < 3, 'a kill ends a save');
  await ground.prove();
  assert.equal((await ground.backend.list(ground.place, signal)).length, whole);
});

faultTest('a lock of a dead program is taken away, and one of a living program is respected', async () => {
  using ground = new Ground();
  await ground.backend.add(ground.place, {}, signal);
  const { saved } = await ground.save();
  const other = await stoppedBackup(ground);
  try {
    await assert.rejects(ground.backend.forget(ground.place, [saved.id], signal), refused('in_use'));
    assert.equal((await ground.backend.list(ground.place, signal)).length, 1);
    await ground.backend.check(ground.place, signal);
    await assert.rejects(ground.backend.check(ground.place, signal, true), refused('in_use'));
    const gone = new Promise((resolve) => other.once('exit', resolve));
    other.kill('SIGKILL');
    await gone;
    assert.ok(locksOf(ground.place).length > 0, 'its lock is still there');
    await ground.backend.forget(ground.place, [saved.id], signal);
    assert.deepEqual(await ground.backend.list(ground.place, signal), []);
  } finally {
    other?.kill('SIGKILL');
  }
});

faultTest(
  'a repository that is taken away in the middle is missed at once, and works when it is back',
  async () => {
    using ground = new Ground();
    await ground.backend.add(ground.place, {}, signal);
    const away = `${ground.place.url}-away`;
    let moved = false;
    const save = ground.save(() => {
      if (moved) return;
      moved = true;
      renameSync(ground.place.url, away);
    });
    await assert.rejects(save, refused('repository_unreachable'));
    await assert.rejects(ground.backend.list(ground.place, signal), refused('repository_unreachable'));
    await runCommand(['rm', '-rf', ground.place.url]);
    renameSync(away, ground.place.url);
    await ground.prove();
  },
);

faultTest('damaged and missing data is told apart from what can be restored', async () => {
  using ground = new Ground();
  await ground.backend.add(ground.place, {}, signal);
  const { saved } = await ground.save();
  const packs = filesBelow(join(ground.place.url, 'data')).filter((path) => statSync(path).size > MIB);
  const [first = '', second = ''] = packs;
  const restore = (name: string) => {
    const target = join(ground.scratch.path, name);
    mkdirSync(target);
    return ground.backend.restore(ground.place, saved.id, { target, signal });
  };
  const good = readFileSync(first);
  await runCommand(['chmod', 'u+w', first]);
  const fd = openSync(first, 'r+');
  for (let place = 0; place < good.length; place += 64 * 1024) writeSync(fd, 'damaged', place);
  closeSync(fd);
  await assert.rejects(restore('damaged'), refused('backup_damaged'));
  writeFileSync(first, good);
  renameSync(second, join(ground.scratch.path, 'lost'));
  await assert.rejects(restore('missing'), refused('backup_damaged'));
  await assert.rejects(ground.backend.check(ground.place, signal), refused('backup_damaged'));
  renameSync(join(ground.scratch.path, 'lost'), second);
  await ground.backend.check(ground.place, signal);
  await restore('whole');
});

faultTest('a full repository disk is told, loses nothing, and goes on when there is room', async (t) => {
  using scratch = scratchDirectory('backup-full');
  const disk = join(scratch.path, 'disk');
  mkdirSync(disk);
  const mounted = await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=60m', 'tmpfs', disk]);
  if (mounted.code !== 0) return t.skip(`no small disk can be made: ${mounted.stderr.trim()}`);
  try {
    using ground = new Ground(join(disk, 'repository'));
    await ground.backend.add(ground.place, {}, signal);
    await assert.rejects(ground.save(), refused('insufficient_disk'));
    assert.deepEqual(await ground.backend.list(ground.place, signal), []);
    const grown = await runCommand(['mount', '-o', 'remount,size=500m', disk]);
    assert.equal(grown.code, 0, grown.stderr);
    await ground.prove();
  } finally {
    await runCommand(['umount', disk]);
  }
});
