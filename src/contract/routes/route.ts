import * as z from 'zod';
import { DEFAULT_PROJECT, ProjectNameSchema, VpsNameSchema } from '../names.ts';
import { TaskSchema } from '../tasks.ts';

/** json: one document; text, bytes: a stream; events: server-sent events; socket: WebSocket upgrade; none: 204. */
export type Transfer = 'json' | 'text' | 'bytes' | 'events' | 'socket' | 'none';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** JSON body; `bytes` is a raw stream. */
  readonly body?: z.ZodType | 'bytes';
  readonly response: z.ZodType;
  readonly transfer: Transfer;
  readonly status: 200 | 201 | 202 | 204;
  /**
   * local: only users of the host; admin: only administrators; host: about the whole host; anyone: for everyone.
   * Absent: about the project that the query or the task names.
   */
  readonly access?: 'local' | 'admin' | 'host' | 'anyone' | undefined;
  /** It answers contents or keys, which who may only read state does not get. */
  readonly secret?: true | undefined;
}

export const route = <const R extends Route>(definition: R): R => definition;

export const project = ProjectNameSchema.default(DEFAULT_PROJECT);
export const inProject = z.strictObject({ project });
/** `wait`: seconds that the answer may wait for the task to end; the task is answered as it then is. */
export const wait = z.coerce.number().min(0).max(60).default(0);
export const taskQuery = z.strictObject({ project, wait });
export const named = z.strictObject({ name: VpsNameSchema });

export const list = <S extends z.ZodType>(schema: S) => z.array(schema);
export const task = { response: TaskSchema, transfer: 'json', status: 202 } as const;
export const json = { transfer: 'json', status: 200 } as const;

export const ABSOLUTE_PATH = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^\/[^\x00-\x1f\x7f]*$/, 'must be an absolute path without control characters')
  .refine((path) => !path.split('/').includes('..'), 'must not contain ".."');
export const flag = z.stringbool().default(false);
