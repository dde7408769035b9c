import * as z from 'zod';
import { GrowPoolRequestSchema, PoolSchema, PoolUsageSchema } from '../resources.ts';
import { json, list, route, task, wait } from './route.ts';

/** Where data lives. */
export const poolsRoutes = {
  'pools.list': route({
    method: 'GET',
    path: '/v1/pools',
    access: 'host',
    summary: 'List pools',
    response: list(PoolSchema),
    ...json,
  }),
  'pools.info': route({
    method: 'GET',
    path: '/v1/pools/:name',
    access: 'host',
    summary: 'One pool',
    params: z.strictObject({ name: z.string().max(63) }),
    response: PoolSchema,
    ...json,
  }),
  'pools.usage': route({
    method: 'GET',
    path: '/v1/pools/:name/usage',
    access: 'host',
    summary: 'What VPSs, their snapshots, images and memory templates hold of a pool; measured now',
    params: z.strictObject({ name: z.string().max(63) }),
    response: list(PoolUsageSchema),
    ...json,
  }),
  'pools.check': route({
    method: 'POST',
    path: '/v1/pools/:name/check',
    access: 'host',
    summary: 'Compare all data of a pool with its checksums',
    params: z.strictObject({ name: z.string().max(63) }),
    query: z.strictObject({ wait }),
    ...task,
  }),
  'pools.grow': route({
    method: 'POST',
    path: '/v1/pools/:name/grow',
    access: 'host',
    summary: 'Make a pool larger',
    params: z.strictObject({ name: z.string().max(63) }),
    query: z.strictObject({ wait }),
    body: GrowPoolRequestSchema,
    ...task,
  }),
} as const;
