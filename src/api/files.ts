import type { PlainHandlers, PlainRoutesOf } from './handler.ts';

export const fileHandlers: PlainHandlers<PlainRoutesOf<'files'>> = {
  'files.list': (engine, { query, params }) => engine.files.list(query.project, params.name, query.path),
  'files.push': (engine, { query, params, content }) =>
    engine.files.push(query.project, params.name, query.path, content, Number.parseInt(query.mode, 8)),
};
