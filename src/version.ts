import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

/** The version of package.json, which lies one folder above both src/ and dist/. */
export const VERSION = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))).version;
