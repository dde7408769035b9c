import type { PlainHandlers, PlainRoutesOf } from './handler.ts';
import { waitFor } from './task-wait.ts';

export const vpsHandlers: PlainHandlers<PlainRoutesOf<'vps'>> = {
  'vps.list': (engine, { query }) => engine.vps.list(query.project),
  'vps.info': (engine, { query, params }) => engine.vps.info(query.project, params.name),
  'vps.plan': (engine, { query, body }) => engine.vps.plan(query.project, body),
  'vps.launch': async (engine, { query, body }) =>
    waitFor(engine, await engine.vps.launch(query.project, body), query.wait),
  'vps.set': async (engine, { query, params, body }) =>
    waitFor(engine, await engine.vps.set(query.project, params.name, body), query.wait),
  'vps.delete': async (engine, { query, params }) =>
    waitFor(engine, await engine.vps.delete(query.project, params.name, { force: query.force }), query.wait),
  'vps.convert': async (engine, { query, params, body }) =>
    waitFor(engine, await engine.vps.convert(query.project, params.name, body), query.wait),
  'vps.copy': async (engine, { query, params, body }) =>
    waitFor(engine, await engine.vps.copy(query.project, params.name, body), query.wait),
  'vps.rename': async (engine, { query, params, body }) =>
    waitFor(engine, await engine.vps.rename(query.project, params.name, body.name), query.wait),
  'vps.start': async (engine, { query, params }) =>
    waitFor(engine, await engine.vps.start(query.project, params.name), query.wait),
  'vps.stop': async (engine, { query, params, body }) =>
    waitFor(engine, await engine.vps.stop(query.project, params.name, body), query.wait),
  'vps.restart': async (engine, { query, params, body }) =>
    waitFor(engine, await engine.vps.restart(query.project, params.name, body), query.wait),
  'vps.pause': async (engine, { query, params }) =>
    waitFor(engine, await engine.vps.pause(query.project, params.name), query.wait),
  'vps.resume': async (engine, { query, params }) =>
    waitFor(engine, await engine.vps.resume(query.project, params.name), query.wait),
};
