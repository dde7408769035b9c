import type { PlainHandlers, PlainRoutesOf } from './handler.ts';

export const tokenHandlers: PlainHandlers<PlainRoutesOf<'tokens' | 'audit'>> = {
  'tokens.list': (engine) => engine.tokens.list(),
  'tokens.create': (engine, { body, identity }) => engine.tokens.create(body, identity.who),
  'tokens.delete': (engine, { params }) => engine.tokens.delete(params.name),
  'audit.list': (engine, { query }) => engine.audit.list(query.lines),
};
