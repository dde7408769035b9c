import * as z from 'zod';
import { TECHNIQUES } from '../../src/contract/technique-table.ts';

const ValueSchema = z.object({ value: z.number().nullable(), reason: z.string().optional() });

/** What `mullion compare --json` prints, as far as tests look at it. */
export const PrintedComparisonSchema = z.object({
  quick: z.boolean(),
  image: z.string(),
  techniques: z.array(
    z.object({
      technique: z.enum(TECHNIQUES),
      state: z.enum(['measured', 'failed', 'unavailable']),
      reason: z.string(),
      values: z.record(z.string(), ValueSchema),
    }),
  ),
});
export type PrintedComparison = z.infer<typeof PrintedComparisonSchema>;
