import * as z from 'zod';
import { CheckSchema, ServerInfoSchema } from '../resources.ts';
import { TechniqueReportSchema } from '../techniques.ts';
import { flag, json, list, route } from './route.ts';

/** This host and this installation. */
export const hostRoutes = {
  'server.info': route({
    method: 'GET',
    path: '/v1',
    access: 'anyone',
    summary: 'What answers here',
    response: ServerInfoSchema,
    ...json,
  }),
  'techniques.list': route({
    method: 'GET',
    path: '/v1/techniques',
    access: 'anyone',
    summary: 'What this host can run, probed',
    query: z.strictObject({ refresh: flag }),
    response: list(TechniqueReportSchema),
    ...json,
  }),
  'doctor.run': route({
    method: 'GET',
    path: '/v1/doctor',
    access: 'host',
    summary: 'Check this host and this installation',
    response: list(CheckSchema),
    ...json,
  }),
  'metrics.read': route({
    method: 'GET',
    path: '/metrics',
    summary: 'The state of the whole node, in the text format of Prometheus',
    response: z.string(),
    access: 'host',
    transfer: 'text',
    status: 200,
  }),
} as const;
