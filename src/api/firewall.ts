import type { PlainHandlers, PlainRoutesOf } from './handler.ts';

export const firewallHandlers: PlainHandlers<PlainRoutesOf<'firewall'>> = {
  'firewall.list': (engine, { query }) => engine.firewall.list(query.project),
  'firewall.create': (engine, { query, body }) => engine.firewall.create(query.project, body),
  'firewall.info': (engine, { query, params }) => engine.firewall.info(query.project, params.name),
  'firewall.delete': (engine, { query, params }) => engine.firewall.delete(query.project, params.name),
  'firewall.addRule': (engine, { query, params, body }) =>
    engine.firewall.addRule(query.project, params.name, body),
  'firewall.removeRule': (engine, { query, params }) =>
    engine.firewall.removeRule(query.project, params.name, params.number),
  'firewall.join': (engine, { query, params, body }) =>
    engine.firewall.join(query.project, params.name, body.vps),
  'firewall.leave': (engine, { query, params }) =>
    engine.firewall.leave(query.project, params.name, params.vps),
};
