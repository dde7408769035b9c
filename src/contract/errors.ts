import * as z from 'zod';
import { ERROR_CODES, type ErrorBody } from './error-table.ts';

export * from './error-table.ts';

export const ErrorBodySchema = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  remedy: z.string(),
  details: z.record(z.string(), z.unknown()),
}) satisfies z.ZodType<ErrorBody>;
export const ErrorResponseSchema = z.object({ error: ErrorBodySchema });
