import type { PlainHandlers, PlainRoutesOf } from './handler.ts';
import { waitFor } from './task-wait.ts';

export const snapshotHandlers: PlainHandlers<PlainRoutesOf<'snapshots'>> = {
  'snapshots.list': (engine, { query, params }) => engine.snapshots.list(query.project, params.name),
  'snapshots.create': async (engine, { query, params, body }) =>
    waitFor(engine, await engine.snapshots.create(query.project, params.name, body), query.wait),
  'snapshots.restore': async (engine, { query, params }) =>
    waitFor(engine, await engine.snapshots.restore(query.project, params.name, params.snapshot), query.wait),
  'snapshots.delete': async (engine, { query, params }) =>
    waitFor(engine, await engine.snapshots.delete(query.project, params.name, params.snapshot), query.wait),
};
