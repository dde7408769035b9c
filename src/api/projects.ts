import type { PlainHandlers, PlainRoutesOf } from './handler.ts';

export const projectHandlers: PlainHandlers<PlainRoutesOf<'projects'>> = {
  'projects.list': (engine) => engine.projects.list(),
  'projects.info': (engine, { params }) => engine.projects.info(params.name),
  'projects.create': (engine, { body }) => engine.projects.create(body),
  'projects.delete': (engine, { params }) => engine.projects.delete(params.name),
};
