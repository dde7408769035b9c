import type { PlainHandlers, PlainRoutesOf } from './handler.ts';

export const networkHandlers: PlainHandlers<PlainRoutesOf<'networks'>> = {
  'networks.list': (engine, { query }) => engine.networks.list(query.project),
  'networks.info': (engine, { query, params }) => engine.networks.info(query.project, params.name),
  'networks.create': (engine, { query, body }) => engine.networks.create(query.project, body),
  'networks.delete': (engine, { query, params }) => engine.networks.delete(query.project, params.name),
};
