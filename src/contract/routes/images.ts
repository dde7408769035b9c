import * as z from 'zod';
import {
  ExportImageRequestSchema,
  ImportImageRequestSchema,
  PublishImageRequestSchema,
  PullImageRequestSchema,
} from '../image-requests.ts';
import { ImageNameSchema } from '../names.ts';
import { BuildImageRequestSchema, ImageSchema } from '../resources.ts';
import { inProject, json, list, route, task, taskQuery } from './route.ts';

const ofTransfer = z.strictObject({ task: z.string().max(64) });

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
  'images.import': route({
    method: 'POST',
    path: '/v1/images/import',
    summary: 'Begin to import an image; its task waits for the file, sent to /v1/transfers/TASK',
    query: taskQuery,
    body: ImportImageRequestSchema,
    ...task,
  }),
  'images.pull': route({
    method: 'POST',
    path: '/v1/images/pull',
    summary: 'Import an image that the daemon fetches from a registry; only over the Unix socket',
    query: taskQuery,
    body: PullImageRequestSchema,
    access: 'local',
    ...task,
  }),
  'images.export': route({
    method: 'POST',
    path: '/v1/images/:name/export',
    summary: 'Begin to export an image; its task waits for a reader of /v1/transfers/TASK',
    params: z.strictObject({ name: ImageNameSchema }),
    query: taskQuery,
    body: ExportImageRequestSchema,
    ...task,
  }),
  'images.publish': route({
    method: 'POST',
    path: '/v1/images/publish',
    summary: 'Make an image of a VPS or of one of its snapshots',
    query: taskQuery,
    body: PublishImageRequestSchema,
    ...task,
  }),
  'images.upload': route({
    method: 'PUT',
    path: '/v1/transfers/:task',
    summary: 'Send the file that a task waits for',
    params: ofTransfer,
    body: 'bytes',
    response: z.void(),
    transfer: 'none',
    status: 204,
  }),
  'images.download': route({
    method: 'GET',
    path: '/v1/transfers/:task',
    secret: true,
    summary: 'Receive the file that a task makes, once it is ready',
    params: ofTransfer,
    response: z.void(),
    transfer: 'bytes',
    status: 200,
  }),
} as const;
