import * as z from 'zod';
import { NetworkNameSchema } from '../names.ts';
import { CreateNetworkRequestSchema, NetworkSchema } from '../resources.ts';
import { inProject, json, list, route } from './route.ts';

/** Private segments. */
export const networksRoutes = {
  'networks.list': route({
    method: 'GET',
    path: '/v1/networks',
    summary: 'List networks',
    query: inProject,
    response: list(NetworkSchema),
    ...json,
  }),
  'networks.create': route({
    method: 'POST',
    path: '/v1/networks',
    summary: 'Create a network',
    query: inProject,
    body: CreateNetworkRequestSchema,
    response: NetworkSchema,
    transfer: 'json',
    status: 201,
  }),
  'networks.info': route({
    method: 'GET',
    path: '/v1/networks/:name',
    summary: 'One network',
    params: z.strictObject({ name: NetworkNameSchema }),
    query: inProject,
    response: NetworkSchema,
    ...json,
  }),
  'networks.delete': route({
    method: 'DELETE',
    path: '/v1/networks/:name',
    summary: 'Delete a network that no VPS uses',
    params: z.strictObject({ name: NetworkNameSchema }),
    query: inProject,
    response: z.void(),
    transfer: 'none',
    status: 204,
  }),
} as const;
