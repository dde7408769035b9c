import * as z from 'zod';
import { FileEntrySchema } from '../resources.ts';
import { ABSOLUTE_PATH, json, list, named, project, route } from './route.ts';

/** Files inside a VPS. */
export const filesRoutes = {
  'files.pull': route({
    method: 'GET',
    path: '/v1/vps/:name/files',
    secret: true,
    summary: 'Read a file of a VPS',
    params: named,
    query: z.strictObject({ project, path: ABSOLUTE_PATH }),
    response: z.void(),
    transfer: 'bytes',
    status: 200,
  }),
  'files.push': route({
    method: 'PUT',
    path: '/v1/vps/:name/files',
    summary: 'Write a file of a VPS',
    params: named,
    query: z.strictObject({
      project,
      path: ABSOLUTE_PATH,
      mode: z
        .string()
        .regex(/^[0-7]{3,4}$/, 'must be octal, for example 644')
        .default('644'),
    }),
    body: 'bytes',
    response: z.void(),
    transfer: 'none',
    status: 204,
  }),
  'files.list': route({
    method: 'GET',
    path: '/v1/vps/:name/files/list',
    secret: true,
    summary: 'List a folder of a VPS',
    params: named,
    query: z.strictObject({ project, path: ABSOLUTE_PATH }),
    response: list(FileEntrySchema),
    ...json,
  }),
} as const;
