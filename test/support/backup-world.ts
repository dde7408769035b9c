import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Repository } from '../../src/contract/backups.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { done, PROJECT, request, type World } from './engine-world.ts';

export const REPOSITORY = '/srv/backups';

export const addRepo = (engine: Engine, name = 'nas', url = REPOSITORY): Promise<Repository> =>
  engine.backups.addRepository(PROJECT, { name, url });

/** A VPS `web` with data; answers its id. */
export async function launched(world: World, engine: Engine): Promise<string> {
  await done(engine, engine.vps.launch(PROJECT, request()));
  const { id } = await engine.vps.info(PROJECT, 'web');
  mkdirSync(join(world.pool.volumePath(id), 'upper'), { recursive: true });
  writeFileSync(join(world.pool.volumePath(id), 'upper/data'), 'precious');
  mkdirSync(world.pool.imagePath('image-0'), { recursive: true });
  return id;
}

/** The same, and a backup of it; answers the backup's id. */
export async function backedUp(world: World, engine: Engine): Promise<string> {
  await launched(world, engine);
  await addRepo(engine);
  await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
  const [backup] = await engine.backups.list(PROJECT, {});
  return backup?.id ?? '';
}

/** Volumes apart from images, which the noted pool keeps beside them. */
export const volumes = async (world: World): Promise<string[]> =>
  (await world.pool.listVolumes()).filter((id) => !id.startsWith('image-'));
