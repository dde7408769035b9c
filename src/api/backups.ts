import type { PlainHandlers, PlainRoutesOf } from './handler.ts';
import { waitFor } from './task-wait.ts';

export const backupHandlers: PlainHandlers<PlainRoutesOf<'backups'>> = {
  'backups.repositories': (engine, { query }) => engine.backups.repositories(query.project),
  'backups.addRepository': (engine, { query, body }) => engine.backups.addRepository(query.project, body),
  'backups.removeRepository': (engine, { query, params }) =>
    engine.backups.removeRepository(query.project, params.name),
  'backups.repositoryKey': (engine, { query, params }) =>
    engine.backups.repositoryKey(query.project, params.name),
  'backups.list': (engine, { query: { project, vps, repository } }) =>
    engine.backups.list(project, { vps, repository }),
  'backups.create': async (engine, { query, body }) =>
    waitFor(engine, await engine.backups.create(query.project, body), query.wait),
  'backups.delete': async (engine, { query, params }) =>
    waitFor(engine, await engine.backups.delete(query.project, params.id), query.wait),
  'backups.verify': async (engine, { query, params }) =>
    waitFor(engine, await engine.backups.verify(query.project, params.id), query.wait),
  'backups.restore': async (engine, { query, params, body }) =>
    waitFor(engine, await engine.backups.restore(query.project, params.id, body), query.wait),
  'backups.schedule': (engine, { query, params }) => engine.backups.schedule(query.project, params.name),
  'backups.setSchedule': (engine, { query, params, body }) =>
    engine.backups.setSchedule(query.project, params.name, body),
  'backups.removeSchedule': (engine, { query, params }) =>
    engine.backups.removeSchedule(query.project, params.name),
};
