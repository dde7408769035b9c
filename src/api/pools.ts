import type { PlainHandlers, PlainRoutesOf } from './handler.ts';
import { waitFor } from './task-wait.ts';

export const poolHandlers: PlainHandlers<PlainRoutesOf<'pools'>> = {
  'pools.list': (engine) => engine.pools.list(),
  'pools.info': (engine, { params }) => engine.pools.info(params.name),
  'pools.usage': (engine, { params }) => engine.pools.usage(params.name),
  'pools.check': async (engine, { query, params }) =>
    waitFor(engine, await engine.pools.check(params.name), query.wait),
  'pools.grow': async (engine, { query, params, body }) =>
    waitFor(engine, await engine.pools.grow(params.name, body.size), query.wait),
};
