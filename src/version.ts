import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

/** The version of package.json, which lies one folder above both src/ and dist/. */
export const VERSION = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))).version;

const BUILD_ID = join(import.meta.dirname, 'build-id');

/** Which build this is, whatever its version; the version where the sources run as they are. */
export const BUILD = existsSync(BUILD_ID) ? readFileSync(BUILD_ID, 'utf8') : VERSION;
