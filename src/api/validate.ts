import type * as z from 'zod';
import { MullionError } from '../contract/errors.ts';

/** Longest message about one request; a request with a thousand faults needs no thousand lines. */
const ISSUES = 5;

/** The value with defaults filled in. @throws MullionError `invalid_request` that names each field at fault */
export function validate<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => ({
    field: [where, ...issue.path.map(String)].filter((part) => part !== '').join('.'),
    message: issue.message,
  }));
  const shown = issues
    .slice(0, ISSUES)
    .map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
  throw new MullionError('invalid_request', shown.join('; '), { details: { issues: issues.slice(0, 50) } });
}
