import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { dot, spec } from 'node:test/reporters';
import * as z from 'zod';
import { outcomes } from './test-reporter.ts';

/** What `run-ring` asks of this program, as JSON in its only argument. */
export interface FilesToRun {
  /** Absolute paths; begun in this order, which `node --test` would not keep. */
  readonly files: readonly string[];
  readonly concurrency: number;
  /** All run in this process, one after the other. */
  readonly shared: boolean;
  readonly timeoutMs: number;
  readonly quiet: boolean;
  /** File for what `test-reporter` writes. */
  readonly report: string;
}
const FilesToRunSchema: z.ZodType<FilesToRun> = z.object({
  files: z.array(z.string()),
  concurrency: z.number(),
  shared: z.boolean(),
  timeoutMs: z.number(),
  quiet: z.boolean(),
  report: z.string(),
});

const EARLY = join(import.meta.dirname, '../test/support/enter-netns-early.ts');

const asked = FilesToRunSchema.parse(JSON.parse(process.argv[2] ?? ''));
const events = run({
  files: [...asked.files],
  timeout: asked.timeoutMs,
  ...(asked.shared
    ? { isolation: 'none' }
    : { concurrency: asked.concurrency, execArgv: ['--import', EARLY] }),
});
events.on('test:fail', () => {
  process.exitCode = 1;
});
const report = createWriteStream(asked.report);
events.compose(outcomes).pipe(report);
const shown = asked.quiet ? events.compose(dot) : events.compose(new spec());
shown.pipe(process.stdout, { end: false });
await finished(report);
