import * as z from 'zod';
import { ErrorBodySchema } from './errors.ts';

export const TaskStateSchema = z.enum(['running', 'done', 'failed', 'cancelled']);
export type TaskState = z.infer<typeof TaskStateSchema>;

/** One node of a task's tree of progress. `total` is absent while it is not known. */
export interface Progress {
  name: string;
  state: 'waiting' | 'running' | 'done' | 'failed';
  done?: number | undefined;
  total?: number | undefined;
  unit?: 'bytes' | 'items' | 'percent' | undefined;
  /** Units a second, over the last seconds. */
  rate?: number | undefined;
  secondsLeft?: number | undefined;
  message?: string | undefined;
  children: Progress[];
}
export const ProgressSchema: z.ZodType<Progress> = z
  .object({
    name: z.string(),
    state: z.enum(['waiting', 'running', 'done', 'failed']),
    done: z.number().optional(),
    total: z.number().optional(),
    unit: z.enum(['bytes', 'items', 'percent']).optional(),
    rate: z.number().optional(),
    secondsLeft: z.number().optional(),
    message: z.string().optional(),
    get children(): z.ZodArray<typeof ProgressSchema> {
      return z.array(ProgressSchema);
    },
  })
  .meta({ id: 'Progress' });

export const TaskSchema = z.object({
  id: z.string(),
  kind: z.string().describe('the operation, for example vps.launch'),
  project: z.string(),
  target: z.string().describe('the name of what it works on'),
  state: TaskStateSchema,
  createdAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable(),
  progress: ProgressSchema,
  error: ErrorBodySchema.nullable(),
  warnings: z.array(z.string()),
});
export type Task = z.infer<typeof TaskSchema>;

export const EventSchema = z.object({
  id: z.number().int().describe('grows by one with each event of this daemon'),
  time: z.iso.datetime(),
  type: z.string().describe('for example vps.state, task.progress, task.done, image.added'),
  project: z.string(),
  target: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type Event = z.infer<typeof EventSchema>;
