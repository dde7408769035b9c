import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Outcome } from './test-reporter.ts';

const ROOT = join(import.meta.dirname, '..');
const bin = (name: string): string => join(ROOT, 'node_modules/.bin', name);

/** What reads the code without running it. */
const CHECKS: readonly { readonly name: string; readonly argv: readonly string[] }[] = [
  { name: 'format and lint (biome)', argv: [bin('biome'), 'ci', '--error-on-warnings', '.'] },
  { name: 'import rules', argv: [process.execPath, 'scripts/check-imports.ts'] },
  { name: 'types (tsc)', argv: [bin('tsc')] },
  { name: 'generated files are current', argv: [process.execPath, 'scripts/generate.ts', '--check'] },
];

/** Runs every check, also after one failed; the output of those that fail goes to stdout. */
export function runStaticChecks(): Outcome[] {
  return CHECKS.map(({ name, argv }) => {
    const result = spawnSync(argv[0] ?? '', argv.slice(1), { cwd: ROOT, encoding: 'utf8' });
    const passed = result.status === 0;
    console.log(`${passed ? '✔' : '✖'} ${name}`);
    if (!passed) console.log(result.stdout, result.stderr);
    return { type: passed ? 'passed' : 'failed', name, file: '' };
  });
}
