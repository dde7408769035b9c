import * as z from 'zod';

/** One line of the audit log. It never holds what was sent, only what it was about. */
export const AuditEntrySchema = z.object({
  time: z.iso.datetime(),
  who: z.string().describe('uid:1000, token:NAME/ID, or mullion when it acts by itself'),
  from: z.string().describe('address of a client over the network, socket over the Unix socket'),
  verb: z.string().describe('name of the route, for example vps.delete, or kind of the task that ended'),
  project: z.string(),
  object: z.string(),
  outcome: z.string().describe('done, begun for a task, else the code of the error'),
  task: z.string().optional(),
});
export type AuditEntry = z.infer<typeof AuditEntrySchema>;
