import * as z from 'zod';
import { ProjectNameSchema } from '../names.ts';
import { CreateProjectRequestSchema, ProjectSchema } from '../resources.ts';
import { json, list, route } from './route.ts';

/** Tenants. */
export const projectsRoutes = {
  'projects.list': route({
    method: 'GET',
    path: '/v1/projects',
    access: 'host',
    summary: 'List projects',
    response: list(ProjectSchema),
    ...json,
  }),
  'projects.create': route({
    method: 'POST',
    path: '/v1/projects',
    access: 'host',
    summary: 'Create a project',
    body: CreateProjectRequestSchema,
    response: ProjectSchema,
    transfer: 'json',
    status: 201,
  }),
  'projects.info': route({
    method: 'GET',
    path: '/v1/projects/:name',
    access: 'host',
    summary: 'One project',
    params: z.strictObject({ name: ProjectNameSchema }),
    response: ProjectSchema,
    ...json,
  }),
  'projects.delete': route({
    method: 'DELETE',
    path: '/v1/projects/:name',
    access: 'host',
    summary: 'Delete an empty project',
    params: z.strictObject({ name: ProjectNameSchema }),
    response: z.void(),
    transfer: 'none',
    status: 204,
  }),
} as const;
