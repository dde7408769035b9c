import * as z from 'zod';
import { GrowPoolRequestSchema, PoolSchema } from '../resources.ts';
import { json, list, route, task, wait } from './route.ts';

/** Where data lives. */
export const poolsRoutes = {
  'pools.list': route({
    method: 'GET',
    path: '/v1/pools',
    summary: 'List pools',
    response: list(PoolSchema),
    ...json,
  }),
  'pools.info': route({
    method: 'GET',
    path: '/v1/pools/:name',
    summary: 'One pool',
    params: z.strictObject({ name: z.string().max(63) }),
    response: PoolSchema,
    ...json,
  }),
  'pools.grow': route({
    method: 'POST',
    path: '/v1/pools/:name/grow',
    summary: 'Make a pool larger',
    params: z.strictObject({ name: z.string().max(63) }),
    query: z.strictObject({ wait }),
    body: GrowPoolRequestSchema,
    ...task,
  }),
} as const;
