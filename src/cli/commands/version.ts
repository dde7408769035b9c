import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineCommand } from '../command.ts';
import { printJson } from '../context.ts';

export const command = defineCommand({
  summary: 'print the version of the command line',
  description: 'Does not ask the daemon; mullion daemon status tells the version of that.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion version', does: 'which version this is' }],
  seeAlso: ['daemon status'],
  run: async (context) => {
    const version = readVersion(import.meta.dirname);
    if (context.json) printJson(context, { version, node: process.version });
    else context.terminal.print(`mullion ${version}`);
    return 0;
  },
});

/** The version in the nearest package.json: source and bundle lie at different depths below it. */
function readVersion(folder: string): string {
  try {
    const document: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    if (typeof document === 'object' && document !== null && 'version' in document)
      return String(document.version);
  } catch {
    if (folder !== '/') return readVersion(join(folder, '..'));
  }
  return 'unknown';
}
