import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { addRepo, launched, REPOSITORY, volumes } from '../../../test/support/backup-world.ts';
import { check, done, ended, PROJECT, type World } from '../../../test/support/engine-world.ts';
import type { SavedFolder } from '../../backup/backup.ts';

const OTHER: SavedFolder = {
  id: 'f'.repeat(64),
  createdAt: '2026-01-01T00:00:00.000Z',
  labels: { kind: 'vps', vps: 'ffffffffffff', name: 'other', imageSaved: 'e'.repeat(64) },
};
const saved = (world: World, kind: string): SavedFolder[] =>
  (world.backups.saved.get(REPOSITORY) ?? []).filter(({ labels }) => labels.kind === kind);

/** Something that happens at the save of a VPS's data: `before` it, or `after` it. */
function atSave(
  world: World,
  moment: 'before' | 'after',
  happens: (count: number) => Promise<unknown>,
): void {
  const save = world.backups.save.bind(world.backups);
  let count = 0;
  world.backups.save = async (place, request) => {
    const isData = request.labels.kind === 'vps';
    if (isData) count += 1;
    if (isData && moment === 'before') await happens(count);
    const result = await save(place, request);
    if (isData && moment === 'after') await happens(count);
    return result;
  };
}

describe('a backup into a repository that others use', () => {
  check('keeps its image when they delete their last backup meanwhile', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    world.backups.saved.get(REPOSITORY)?.push(OTHER);
    await engine.projects.create({ name: 'shop', description: '' });
    await engine.backups.addRepository('shop', { name: 'nas', url: REPOSITORY });
    let image: SavedFolder | undefined;
    atSave(world, 'before', async () => {
      [image] = saved(world, 'image');
      await done(engine, engine.backups.delete('shop', OTHER.id.slice(0, 12)));
    });
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    assert.ok(image);
    assert.deepEqual(saved(world, 'image'), [image]);
    assert.deepEqual(
      saved(world, 'vps').map(({ labels }) => labels.imageSaved),
      [image.id],
    );
  });

  check('is made anew when its image was deleted meanwhile', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    atSave(world, 'after', async (count) => {
      if (count === 1)
        await world.backups.forget(
          { id: '', url: REPOSITORY },
          saved(world, 'image').map(({ id }) => id),
        );
    });
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    assert.deepEqual(
      saved(world, 'vps').map(({ labels }) => labels.imageSaved),
      saved(world, 'image').map(({ id }) => id),
    );
    assert.equal(saved(world, 'image').length, 1);
    assert.equal((await volumes(world)).length, 1);
  });

  check('fails when its image is deleted each time', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    atSave(world, 'after', () =>
      world.backups.forget(
        { id: '', url: REPOSITORY },
        saved(world, 'image').map(({ id }) => id),
      ),
    );
    const { error } = await ended(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    assert.equal(error?.code, 'conflict');
    assert.match(error.message, /deleted from \/srv\/backups each time/);
    assert.equal((await volumes(world)).length, 1);
  });
});

describe('what another program is about to replace in a repository', () => {
  check('is no damage once it has ended', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    world.backups.pruned.set(REPOSITORY, 'ends');
    const { warnings } = await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    assert.deepEqual(warnings, []);
    const report = (await engine.doctor()).find(({ name }) => name === 'backups');
    assert.equal(report?.state, 'ok');
  });

  check('is told with a warning while it goes on', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    world.backups.pruned.set(REPOSITORY, 'goes on');
    const { warnings } = await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    assert.match(warnings.join(), /seems to have lost data, and other programs work on it/);
    const report = (await engine.doctor()).find(({ name }) => name === 'backups');
    assert.equal(report?.state, 'warning');
    assert.match(report.evidence.join(), /other programs work on it/);
  });
});
