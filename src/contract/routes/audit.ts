import * as z from 'zod';
import { AuditEntrySchema } from '../audit.ts';
import { json, list, route } from './route.ts';

/** Who changed what. */
export const auditRoutes = {
  'audit.list': route({
    method: 'GET',
    path: '/v1/audit',
    summary: 'Who changed what, oldest first',
    query: z.strictObject({
      lines: z.coerce
        .number()
        .int()
        .min(1)
        .max(10_000)
        .default(100)
        .describe('at most so many, the last ones'),
    }),
    response: list(AuditEntrySchema),
    access: 'admin',
    ...json,
  }),
} as const;
