import type { PlainHandlers, PlainRoutesOf } from './handler.ts';

export const forwardHandlers: PlainHandlers<PlainRoutesOf<'forwards'>> = {
  'forwards.list': (engine, { query, params }) => engine.forwards.list(query.project, params.name),
  'forwards.add': (engine, { query, params, body }) => engine.forwards.add(query.project, params.name, body),
  'forwards.remove': (engine, { query, params }) =>
    engine.forwards.remove(query.project, params.name, params.protocol, params.hostPort),
};
