import * as z from 'zod';
import { VpsNameSchema } from '../names.ts';
import { CreateSnapshotRequestSchema, SnapshotNameSchema, SnapshotSchema } from '../snapshots.ts';
import { inProject, json, list, named, route, task, taskQuery } from './route.ts';

const one = z.strictObject({ name: VpsNameSchema, snapshot: SnapshotNameSchema });

/** Points in time of a VPS's data, inside the pool. */
export const snapshotsRoutes = {
  'snapshots.list': route({
    method: 'GET',
    path: '/v1/vps/:name/snapshots',
    summary: 'Snapshots of a VPS, oldest first',
    params: named,
    query: inProject,
    response: list(SnapshotSchema),
    ...json,
  }),
  'snapshots.create': route({
    method: 'POST',
    path: '/v1/vps/:name/snapshots',
    summary: 'Keep the data of a VPS as it is now',
    params: named,
    query: taskQuery,
    body: CreateSnapshotRequestSchema,
    ...task,
  }),
  'snapshots.restore': route({
    method: 'POST',
    path: '/v1/vps/:name/snapshots/:snapshot/restore',
    summary: 'Take a VPS back to a snapshot',
    params: one,
    query: taskQuery,
    ...task,
  }),
  'snapshots.delete': route({
    method: 'DELETE',
    path: '/v1/vps/:name/snapshots/:snapshot',
    summary: 'Delete a snapshot',
    params: one,
    query: taskQuery,
    ...task,
  }),
} as const;
