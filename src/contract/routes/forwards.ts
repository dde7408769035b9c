import * as z from 'zod';
import { VpsNameSchema } from '../names.ts';
import { ForwardSchema } from '../vps.ts';
import { inProject, json, list, named, route } from './route.ts';

/** Host ports sent to a VPS. */
export const forwardsRoutes = {
  'forwards.list': route({
    method: 'GET',
    path: '/v1/vps/:name/forwards',
    summary: 'Host ports sent to a VPS',
    params: named,
    query: inProject,
    response: list(ForwardSchema),
    ...json,
  }),
  'forwards.add': route({
    method: 'POST',
    path: '/v1/vps/:name/forwards',
    summary: 'Send a host port to a VPS',
    params: named,
    query: inProject,
    body: ForwardSchema,
    response: ForwardSchema,
    transfer: 'json',
    status: 201,
  }),
  'forwards.remove': route({
    method: 'DELETE',
    path: '/v1/vps/:name/forwards/:protocol/:hostPort',
    summary: 'Stop sending a host port',
    params: z.strictObject({
      name: VpsNameSchema,
      protocol: z.enum(['tcp', 'udp']),
      hostPort: z.coerce.number().int().min(1).max(65_535),
    }),
    query: inProject,
    response: z.void(),
    transfer: 'none',
    status: 204,
  }),
} as const;
