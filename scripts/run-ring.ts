import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import type { Ring } from './rings.ts';
import type { FilesToRun } from './run-files.ts';
import { readReport } from './test-report.ts';
import type { FileTime, Outcome } from './test-reporter.ts';

const ROOT = join(import.meta.dirname, '..');
/** Each test file loads much of the sources; what Node made of one is there for the next. */
const COMPILED = join(ROOT, 'node_modules/.cache/compiled-tests');

/** So many files are named with their time: what makes a ring long. */
const SLOWEST = 8;
/** So many files may run a second time; when more fail, it is no accident. */
const SECOND_TRIES = 3;

/**
 * Runs a ring with Node's test runner; its report goes to stdout. What failed in one of a few files runs once more, and
 * what then passes counts as flaky: a defect to be mended, named in the summary.
 */
export async function runRing(ring: Ring, quiet = false): Promise<Outcome[]> {
  const files = filesOf(ring);
  const first = await runFiles(ring, files, quiet);
  const again = filesToRepeat(first, files);
  if (again.length === 0 || again.length > SECOND_TRIES) return first;
  console.log(`\n=== ring ${ring.name}: once more: ${again.join(', ')}`);
  return afterSecondTry(first, await runFiles(ring, again, quiet));
}

/** Outcomes of the first run, with what the second run of some files made of the failed ones. */
export function afterSecondTry(first: readonly Outcome[], second: readonly Outcome[]): Outcome[] {
  const key = ({ file, name }: Outcome): string => `${file}\0${name}`;
  const passed = new Set(second.filter(({ type }) => type === 'passed').map(key));
  const failed = new Set(second.filter(({ type }) => type === 'failed').map(key));
  const known = new Set(first.filter(({ type }) => type === 'failed').map(key));
  return [
    ...first.map((outcome): Outcome => {
      if (failed.has(key(outcome))) return { type: 'failed', name: outcome.name, file: outcome.file };
      if (outcome.type !== 'failed' || !passed.has(key(outcome))) return outcome;
      return { ...outcome, type: 'flaky' };
    }),
    ...second.filter(
      (outcome) =>
        outcome.type === 'failed' &&
        !known.has(key(outcome)) &&
        !first.some((each) => key(each) === key(outcome)),
    ),
  ];
}

/** The test files of what failed. */
function filesToRepeat(outcomes: readonly Outcome[], files: readonly string[]): string[] {
  const failed = new Set(
    outcomes.flatMap(({ type, file }) => (type === 'failed' && file !== '' ? [relative(ROOT, file)] : [])),
  );
  return files.filter((path) => failed.has(path));
}

async function runFiles(ring: Ring, files: readonly string[], quiet: boolean): Promise<Outcome[]> {
  if (ring.shared !== true) return runTogether(ring, files, quiet);
  const shares = Array.from({ length: ring.concurrency }, (_, share) =>
    files.filter((_, index) => index % ring.concurrency === share),
  );
  return (await Promise.all(shares.map((share) => runTogether(ring, share, quiet)))).flat();
}

/** A run that died without a failed test counts as one. */
async function runTogether(ring: Ring, files: readonly string[], quiet: boolean): Promise<Outcome[]> {
  if (files.length === 0) return [];
  const folder = mkdtempSync(join(tmpdir(), 'mullion-ring-'));
  try {
    const report = join(folder, 'outcomes');
    const shared = ring.shared === true;
    const asked: FilesToRun = {
      files: files.map((path) => join(ROOT, path)),
      concurrency: ring.concurrency,
      shared,
      timeoutMs: ring.timeoutMs,
      quiet,
      report,
    };
    const code = await runNode([join(ROOT, 'scripts/run-files.ts'), JSON.stringify(asked)], shared);
    const reported = readReport(readFileSync(report, 'utf8'));
    const times = reported.filter((each) => each.type === 'file');
    if (!quiet && times.length > 0) console.log(slowestFiles(times));
    const outcomes = reported.filter((each) => each.type !== 'file');
    const failed = outcomes.some(({ type }) => type === 'failed');
    if (code !== 0 && !failed)
      outcomes.push({ type: 'failed', name: `the run of ring ${ring.name}`, file: '' });
    return outcomes;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function slowestFiles(files: readonly FileTime[]): string {
  const slowest = [...files].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, SLOWEST);
  const told = slowest.map(
    ({ file, milliseconds }) => `${relative(ROOT, file)} ${Math.round(milliseconds / 1000)} s`,
  );
  return `the files that took longest: ${told.join(', ')}`;
}

function filesOf(ring: Ring): string[] {
  const found = ring.files.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).sort();
  const isLongest = (path: string): boolean =>
    ring.longest?.some((name) => basename(path) === `${name}.test.ts`) === true;
  const files = [...found.filter(isLongest), ...found.filter((path) => !isLongest(path))];
  if (ring.conformance === undefined) return files;
  return files.filter(
    (path) =>
      /from '.*\/test\/conformance\//.test(readFileSync(join(ROOT, path), 'utf8')) === ring.conformance,
  );
}

/** `beside` others of its kind it is shown at its end, so that their lines do not mix. */
const runNode = (argv: readonly string[], beside: boolean): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, {
      cwd: ROOT,
      stdio: ['ignore', beside ? 'pipe' : 'inherit', 'inherit'],
      env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8', NODE_COMPILE_CACHE: COMPILED },
    });
    let shown = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      process.stdout.write(shown);
      resolve(code ?? 1);
    });
  });
