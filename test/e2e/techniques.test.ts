import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { type TechniqueReport, TechniqueReportSchema } from '../../src/contract/techniques.ts';
import { cacheDirectory, createNaming } from '../../src/core/naming.ts';
import { TestDaemon } from '../support/daemon.ts';

const ReportsSchema = z.array(TechniqueReportSchema);
const VerdictsSchema = z.record(z.string(), TechniqueReportSchema);

const reports = async (daemon: TestDaemon, ...flags: string[]): Promise<TechniqueReport[]> =>
  ReportsSchema.parse(
    JSON.parse(await daemon.ok(['techniques', ...flags, '--json'], { timeoutMs: 150_000 })),
  );

/** Writes other reasons into what this daemon's host remembers; answers the techniques that it touched. */
function rewrite(daemon: TestDaemon, change: Partial<TechniqueReport>): string[] {
  const folder = cacheDirectory(createNaming(daemon.place.stateDirectory, ''));
  const touched: string[] = [];
  for (const file of globSync(join(folder, '*-probe.json'))) {
    const verdicts = Object.entries(VerdictsSchema.parse(JSON.parse(readFileSync(file, 'utf8'))));
    touched.push(...verdicts.map(([, { id }]) => id));
    const changed = verdicts.map(([key, verdict]) => [key, { ...verdict, ...change }]);
    writeFileSync(file, JSON.stringify(Object.fromEntries(changed)));
  }
  return touched;
}

test('what was proved before is remembered, and proved anew when that is asked for', async (t) => {
  await using daemon = await TestDaemon.start('techniques', { config: { network: { enabled: false } } });
  const proved = new Map((await reports(daemon)).map((report) => [report.id, report]));
  await daemon.stop();

  const found = 'What was found on another day.';
  const remembered = rewrite(daemon, { reason: found });
  assert.ok(remembered.length > 0, 'no technique of this host has a verdict that is remembered');
  await daemon.start();
  const reasonsOf = (list: readonly TechniqueReport[]) =>
    list.filter(({ id }) => remembered.includes(id)).map(({ reason }) => reason);

  await daemon.check(t, 'a daemon that starts takes what it remembers', async () => {
    assert.deepEqual(
      reasonsOf(await reports(daemon)),
      remembered.map(() => found),
    );
  });
  await daemon.check(t, 'techniques --refresh boots the test guests again', async () => {
    const anew = await reports(daemon, '--refresh');
    assert.equal(reasonsOf(anew).includes(found), false);
    for (const { id, state } of anew) assert.equal(state, proved.get(id)?.state, id);
  });
  await daemon.check(t, 'a bad verdict of another day is not believed', async () => {
    await daemon.stop();
    rewrite(daemon, { state: 'unhealthy', reason: found });
    await daemon.start();
    const anew = (await reports(daemon)).filter(({ id }) => remembered.includes(id));
    assert.ok(anew.every(({ state, reason }) => state === 'healthy' && reason !== found));
  });
});
