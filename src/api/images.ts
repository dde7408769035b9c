import type { PlainHandlers, PlainRoutesOf } from './handler.ts';
import { waitFor } from './task-wait.ts';

export const imageHandlers: PlainHandlers<PlainRoutesOf<'images'>> = {
  'images.list': (engine, { query }) => engine.images.list(query.project),
  'images.info': (engine, { query, params }) => engine.images.info(query.project, params.name),
  'images.build': async (engine, { query, body }) =>
    waitFor(engine, await engine.images.build(query.project, body), query.wait),
  'images.import': async (engine, { query, body }) =>
    waitFor(engine, await engine.images.import(query.project, body), query.wait),
  'images.pull': async (engine, { query, body }) =>
    waitFor(engine, await engine.images.pull(query.project, body), query.wait),
  'images.export': async (engine, { query, params, body }) =>
    waitFor(engine, await engine.images.export(query.project, params.name, body), query.wait),
  'images.publish': async (engine, { query, body }) =>
    waitFor(engine, await engine.images.publish(query.project, body), query.wait),
  'images.upload': (engine, { params, content }) => engine.images.upload(params.task, content),
  'images.delete': async (engine, { query, params }) =>
    waitFor(engine, await engine.images.delete(query.project, params.name), query.wait),
};
