import type { TestEvent } from 'node:test/reporters';

/**
 * What `scripts/test.ts` counts: one JSON document a line. Suites are no tests. A flaky one failed, and passed when its
 * file ran again.
 */
export type Outcome =
  | { readonly type: 'passed' | 'failed' | 'flaky'; readonly name: string; readonly file: string }
  | { readonly type: 'skipped'; readonly name: string; readonly file: string; readonly reason: string };

/** How long a file took, in milliseconds. */
export interface FileTime {
  readonly type: 'file';
  readonly file: string;
  readonly milliseconds: number;
}

/** The lines of outcomes and times of files that a run's events come to. */
export async function* outcomes(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  // A file's tests come together, inner ones first; the outermost stands in the file that ran.
  let inner: Outcome[] = [];
  for await (const event of source) {
    if (event.type === 'test:summary' && event.data.file !== undefined) {
      const { file, duration_ms: milliseconds } = event.data;
      yield `${JSON.stringify({ type: 'file', file, milliseconds } satisfies FileTime)}\n`;
    }
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const outcome = outcomeOf(event);
    if (outcome !== undefined) inner.push(outcome);
    if (event.data.nesting > 0) continue;
    const file = entryFileOf(event);
    for (const each of inner) yield `${JSON.stringify({ ...each, file })}\n`;
    inner = [];
  }
  for (const each of inner) yield `${JSON.stringify(each)}\n`;
}

/** A suite may stand in another file than the one that was run. */
function entryFileOf({ data }: Extract<TestEvent, { type: 'test:pass' | 'test:fail' }>): string {
  const entry: unknown = Reflect.get(data, 'entryFile');
  return typeof entry === 'string' ? entry : (data.file ?? '');
}

function outcomeOf(event: TestEvent): Outcome | undefined {
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return undefined;
  const { name, file = '', skip, todo, details } = event.data;
  if (skip !== undefined && skip !== false) {
    return { type: 'skipped', name, file, reason: typeof skip === 'string' ? skip : 'no reason given' };
  }
  if (todo !== undefined && todo !== false) return { type: 'skipped', name, file, reason: 'not written yet' };
  if (event.type === 'test:fail' && failedOnlyInside(event)) return undefined;
  if (event.type === 'test:pass' && details.type === 'suite') return undefined;
  return { type: event.type === 'test:pass' ? 'passed' : 'failed', name, file };
}

/** A suite, or a test with subtests, fails with them: only the inner one counts. */
function failedOnlyInside(event: Extract<TestEvent, { type: 'test:fail' }>): boolean {
  return Reflect.get(event.data.details.error, 'failureType') === 'subtestsFailed';
}
