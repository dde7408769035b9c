import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findings } from './import-rules.ts';

const WARN_LINES = 300;
const root = join(import.meta.dirname, '..');
const paths = globSync('src/**/*.ts', { cwd: root }).sort();

const found = paths.flatMap((path) => {
  const source = readFileSync(join(root, path), 'utf8');
  const lines = source.split('\n').length - 1;
  if (lines > WARN_LINES) console.warn(`warning: ${path} has ${lines} lines: is it one thing?`);
  return findings(path, source);
});
for (const { path, line, message } of found) console.error(`${path}:${line}: ${message}`);
console.log(`${paths.length} files, ${found.length} against the import rules`);
process.exitCode = found.length === 0 && paths.length > 0 ? 0 : 1;
