import type { PlainHandlers, PlainRoutesOf } from './handler.ts';

export const hostHandlers: PlainHandlers<PlainRoutesOf<'server' | 'techniques' | 'doctor'>> = {
  'server.info': (engine) => engine.serverInfo(),
  'techniques.list': (engine, { query }) => engine.techniques(query.refresh),
  'doctor.run': (engine) => engine.doctor(),
};
