import type { PlainHandlers, PlainRoutesOf } from './handler.ts';

export const taskHandlers: PlainHandlers<PlainRoutesOf<'tasks'>> = {
  'tasks.list': (engine, { query }) => engine.tasks.list(query.project),
  'tasks.info': (engine, { query, params }) =>
    query.wait > 0 ? engine.tasks.wait(params.id, query.wait) : engine.tasks.get(params.id),
  'tasks.cancel': (engine, { params }) => engine.tasks.cancel(params.id),
};
