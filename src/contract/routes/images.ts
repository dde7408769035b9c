import * as z from 'zod';
import { ImageNameSchema } from '../names.ts';
import { BuildImageRequestSchema, ImageSchema } from '../resources.ts';
import { inProject, json, list, route, task, taskQuery } from './route.ts';

/** What VPSs start from. */
export const imagesRoutes = {
  'images.list': route({
    method: 'GET',
    path: '/v1/images',
    summary: 'List images',
    query: inProject,
    response: list(ImageSchema),
    ...json,
  }),
  'images.build': route({
    method: 'POST',
    path: '/v1/images',
    summary: 'Build an image',
    query: taskQuery,
    body: BuildImageRequestSchema,
    ...task,
  }),
  'images.info': route({
    method: 'GET',
    path: '/v1/images/:name',
    summary: 'One image; the name is percent-encoded',
    params: z.strictObject({ name: ImageNameSchema }),
    query: inProject,
    response: ImageSchema,
    ...json,
  }),
  'images.delete': route({
    method: 'DELETE',
    path: '/v1/images/:name',
    summary: 'Delete an image that no VPS uses',
    params: z.strictObject({ name: ImageNameSchema }),
    query: taskQuery,
    ...task,
  }),
} as const;
