import * as z from 'zod';
import { parseSize } from './size-text.ts';

export * from './size-text.ts';

/** Accepts `"256M"` or a number of bytes; yields bytes. Flags and bodies both take it. */
export const SizeSchema = z.union([
  z.number().int().nonnegative(),
  z
    .string()
    .max(32)
    .transform((text, context) => {
      const bytes = parseSize(text);
      if (bytes !== undefined) return bytes;
      context.addIssue({ code: 'custom', message: `"${text}" is not a size: write it like 256M or 2G` });
      return z.NEVER;
    }),
]);
export const BytesSchema = z.number().int().nonnegative().describe('bytes');
