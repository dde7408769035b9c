import * as z from 'zod';
import { TaskSchema } from '../tasks.ts';
import { inProject, json, list, route, wait } from './route.ts';

/** Long-running operations. */
export const tasksRoutes = {
  'tasks.list': route({
    method: 'GET',
    path: '/v1/tasks',
    summary: 'List recent tasks',
    query: inProject,
    response: list(TaskSchema),
    ...json,
  }),
  'tasks.info': route({
    method: 'GET',
    path: '/v1/tasks/:id',
    summary: 'One task',
    params: z.strictObject({ id: z.string().regex(/^[a-z0-9]{4,40}$/) }),
    query: z.strictObject({ wait }),
    response: TaskSchema,
    ...json,
  }),
  'tasks.cancel': route({
    method: 'DELETE',
    path: '/v1/tasks/:id',
    summary: 'Ask a task to end',
    params: z.strictObject({ id: z.string().regex(/^[a-z0-9]{4,40}$/) }),
    response: TaskSchema,
    ...json,
  }),
} as const;
