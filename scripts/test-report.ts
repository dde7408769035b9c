import * as z from 'zod';
import type { FileTime, Outcome } from './test-reporter.ts';

const OutcomeSchema: z.ZodType<Outcome> = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['passed', 'failed', 'flaky']), name: z.string(), file: z.string() }),
  z.object({ type: z.literal('skipped'), name: z.string(), file: z.string(), reason: z.string() }),
]);

const FileTimeSchema: z.ZodType<FileTime> = z.object({
  type: z.literal('file'),
  file: z.string(),
  milliseconds: z.number(),
});

/** What `outcomes` wrote of a run. @throws z.ZodError */
export const readReport = (text: string): (Outcome | FileTime)[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => z.union([OutcomeSchema, FileTimeSchema]).parse(JSON.parse(line)));
