/**
 * Loaded before a test file (node --import): one that asks for a private network namespace is run there at once, rather
 * than after all that it imports was loaded once for nothing.
 */
import { readFileSync } from 'node:fs';
import { MARK, runInPrivateNetns } from './netns-run.ts';

const file = process.argv[1];
if (
  file?.endsWith('.test.ts') === true &&
  process.env[MARK] === undefined &&
  readFileSync(file, 'utf8').includes('enterPrivateNetns(import.meta.url)')
) {
  const { code } = runInPrivateNetns(file);
  // Without one the file itself tells so.
  if (code !== undefined) process.exit(code);
}
