import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import type { Ring } from './rings.ts';
import type { Outcome } from './test-reporter.ts';

const ROOT = join(import.meta.dirname, '..');
const OutcomeSchema: z.ZodType<Outcome> = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['passed', 'failed']), name: z.string(), file: z.string() }),
  z.object({ type: z.literal('skipped'), name: z.string(), file: z.string(), reason: z.string() }),
]);

/** Runs a ring with Node's test runner; its report goes to stdout. A run that died without a failed test counts as one. */
export async function runRing(ring: Ring, quiet = false): Promise<Outcome[]> {
  const files = filesOf(ring);
  if (files.length === 0) return [];
  const folder = mkdtempSync(join(tmpdir(), 'mullion-ring-'));
  try {
    const report = join(folder, 'outcomes');
    const code = await runNode([
      '--test',
      `--test-concurrency=${ring.concurrency}`,
      `--test-timeout=${ring.timeoutMs}`,
      `--test-reporter=${quiet ? 'dot' : 'spec'}`,
      '--test-reporter-destination=stdout',
      `--test-reporter=${join(ROOT, 'scripts/test-reporter.ts')}`,
      `--test-reporter-destination=${report}`,
      ...files,
    ]);
    const outcomes = readFileSync(report, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => OutcomeSchema.parse(JSON.parse(line)));
    const failed = outcomes.some(({ type }) => type === 'failed');
    if (code !== 0 && !failed)
      outcomes.push({ type: 'failed', name: `the run of ring ${ring.name}`, file: '' });
    return outcomes;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function filesOf(ring: Ring): string[] {
  const files = ring.files.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).sort();
  if (ring.conformance === undefined) return files;
  return files.filter(
    (path) =>
      /from '.*\/test\/conformance\//.test(readFileSync(join(ROOT, path), 'utf8')) === ring.conformance,
  );
}

const runNode = (argv: readonly string[]): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' },
    });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
