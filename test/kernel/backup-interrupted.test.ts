import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SavedFolder } from '../../src/backup/backup.ts';
import { quietly, refused } from '../conformance/backups.ts';
import {
  faultTest,
  filesBelow,
  Ground,
  MIB,
  resticsOf,
  signal,
  stoppedBackup,
} from '../support/backup-ground.ts';
import { runCommand } from '../support/command.ts';
import { LONG_FORM } from '../support/long-form.ts';
import { eventually } from '../support/scratch.ts';

/** Kills each restic of a work as soon as something is so, and answers how the work ended. */
async function killOnce(ground: Ground, work: Promise<unknown>, isSo: () => boolean): Promise<string> {
  let ended: string | undefined;
  void work.then(
    () => {
      ended = 'done';
    },
    () => {
      ended = 'failed';
    },
  );
  while (ended === undefined && !isSo()) await nextTurn();
  if (ended !== undefined) return ended;
  for (const pid of resticsOf(ground.place)) process.kill(pid, 'SIGKILL');
  await work.catch(() => undefined);
  return ended ?? 'failed';
}

/** Not one that is being written still. */
const PACK = /\/[0-9a-f]{64}$/;

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
const below = (ground: Ground, folder: string): string[] => filesBelow(join(ground.place.url, folder)).sort();

async function restored(ground: Ground, { id }: SavedFolder, source: string): Promise<void> {
  const target = join(ground.scratch.path, `whole-${id.slice(0, 8)}-${randomBytes(4).toString('hex')}`);
  mkdirSync(target);
  await ground.backend.restore(ground.place, id, { target, signal });
  const compared = await runCommand(['diff', '--recursive', source, target]);
  assert.equal(compared.code, 0, compared.stdout);
}

faultTest('a restic that is killed in a restore fails it, and the next one is whole', async () => {
  using ground = new Ground();
  // Files at the top come back by another program than folders.
  mkdirSync(join(ground.source, 'folder'));
  writeFileSync(join(ground.source, 'folder/large'), randomBytes(64 * MIB));
  await ground.backend.add(ground.place, {}, signal);
  const { saved } = await ground.save();
  for (const name of ['folder/large', 'file2']) {
    const target = join(ground.scratch.path, `cut-${name.length}`);
    mkdirSync(target);
    const restore = ground.backend.restore(ground.place, saved.id, { target, signal });
    assert.equal(await killOnce(ground, restore, () => sizeOf(join(target, name)) > 0), 'failed', name);
  }
  await restored(ground, saved, ground.source);
  await ground.prove();
});

faultTest('a restic that is killed while it deletes loses nothing else', async (t) => {
  const moments: Record<string, (ground: Ground) => () => boolean> = {
    'once the backup is forgotten': (ground) => {
      const before = below(ground, 'snapshots').length;
      return () => below(ground, 'snapshots').length < before;
    },
    'once it packs anew': (ground) => {
      const before = new Set(below(ground, 'data'));
      return () => below(ground, 'data').some((path) => !before.has(path));
    },
    'once it writes the new index': (ground) => {
      const before = new Set(below(ground, 'index'));
      return () => below(ground, 'index').some((path) => !before.has(path));
    },
    'once it deletes data': (ground) => {
      const before = below(ground, 'data');
      return () => before.some((path) => sizeOf(path) === 0);
    },
  };
  let cut = 0;
  const chosen = Object.entries(moments).slice(LONG_FORM ? 0 : -1);
  for (const [moment, watch] of chosen) {
    using ground = new Ground();
    await ground.backend.add(ground.place, {}, signal);
    const first = (await ground.save()).saved;
    // Half of each pack is needed still, so that they are packed anew.
    const kept = join(ground.scratch.path, 'kept');
    mkdirSync(kept);
    await runCommand(['cp', '-r', join(ground.source, 'file0'), join(ground.source, 'file2'), kept]);
    writeFileSync(join(kept, 'own'), randomBytes(8 * MIB));
    const second = (await ground.backend.save(ground.place, { folder: kept, labels: { a: '2' }, ...quietly }))
      .saved;
    const ended = await killOnce(
      ground,
      ground.backend.forget(ground.place, [first.id], signal),
      watch(ground),
    );
    t.diagnostic(`${moment}: ${ended}`);
    if (ended === 'failed') cut += 1;
    await restored(ground, second, kept);
    await ground.backend.forget(ground.place, [first.id], signal);
    assert.deepEqual(await ground.backend.list(ground.place, signal), [second], moment);
    await restored(ground, second, kept);
    await ground.prove();
  }
  assert.ok(cut >= chosen.length - 1, `${cut} were cut short`);
});

faultTest('a repository that is damaged in the middle of a backup does not pass for a good one', async () => {
  const damages = [
    (path: string) => rmSync(path),
    (path: string) => truncateSync(path, Math.floor(sizeOf(path) / 2)),
  ];
  const parts = ['what was there', 'what is new'] as const;
  for (const [index, damage] of damages.entries()) {
    for (const part of LONG_FORM ? parts : parts.slice(index, index + 1)) {
      using ground = new Ground();
      await ground.backend.add(ground.place, {}, signal);
      await ground.save();
      const before = new Set(below(ground, 'data'));
      await runCommand(['chmod', '-R', 'u+w', ground.place.url]);
      for (let file = 4; file < 8; file++) {
        writeFileSync(join(ground.source, `file${file}`), randomBytes(24 * MIB));
      }
      let hurt: string | undefined;
      const save = ground.save(() => {
        hurt ??= below(ground, 'data').find(
          (path) => PACK.test(path) && before.has(path) === (part === 'what was there') && sizeOf(path) > MIB,
        );
        if (hurt !== undefined && sizeOf(hurt) > MIB) damage(hurt);
      });
      await save.catch(() => undefined);
      assert.ok(hurt !== undefined, 'it was damaged meanwhile');
      await assert.rejects(ground.backend.check(ground.place, signal), refused('backup_damaged'), part);
      await assert.rejects(ground.backend.check(ground.place, signal, true), refused('backup_damaged'), part);
    }
  }
});

faultTest('what is to be deleted is chosen anew once another program has ended', async () => {
  using ground = new Ground(undefined, 60_000);
  await ground.backend.add(ground.place, {}, signal);
  const { saved } = await ground.save();
  const other = await stoppedBackup(ground);
  try {
    const seen: number[] = [];
    const forget = ground.backend.forget(
      ground.place,
      (all) => {
        seen.push(all.length);
        return all.length === 1 ? [saved.id] : [];
      },
      signal,
    );
    await eventually('it was asked', () => seen.length > 0, 30_000);
    const { saved: late } = await ground.save();
    other.kill('SIGKILL');
    await forget;
    assert.deepEqual(await ground.backend.list(ground.place, signal), [saved, late]);
    assert.deepEqual([seen.at(0), seen.at(-1)], [1, 2]);
  } finally {
    other.kill('SIGKILL');
  }
});
