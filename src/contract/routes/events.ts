import * as z from 'zod';
import { ProjectNameSchema } from '../names.ts';
import { EventSchema } from '../tasks.ts';
import { route } from './route.ts';

/** What happens, as it happens. */
export const eventsRoutes = {
  'events.stream': route({
    method: 'GET',
    path: '/v1/events',
    summary: 'Events as they happen',
    query: z.strictObject({
      project: ProjectNameSchema.optional(),
      task: z.string().max(40).optional(),
      after: z.coerce
        .number()
        .int()
        .min(0)
        .optional()
        .describe('begin with the remembered events after the one of this id'),
    }),
    response: EventSchema,
    transfer: 'events',
    status: 200,
  }),
} as const;
