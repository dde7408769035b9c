import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { median } from '../bench/measure.ts';
import { ITS_LONG_FORM, LONG_FORM } from '../support/long-form.ts';
import { HOST_OF } from '../support/nested/kinds.ts';
import { NestedHost } from '../support/nested/nested-host.ts';
import { installProgram } from '../support/nested/programs.ts';
import { unfitForNested } from '../support/nested/template.ts';
import { enterPrivateNetns } from '../support/netns.ts';

const ROUNDS = 3;
const MEASURE_MS = 3_000_000;
const MeasuredSchema = z.array(z.object({ name: z.string(), samples: z.array(z.number()) }));

const PROGRAM = join(import.meta.dirname, '../bench/boots-inside.ts');

if (!enterPrivateNetns(import.meta.url)) {
  // The inner process has the tests.
} else if (!LONG_FORM) {
  test('boots of hardware and para are measured against what is below them', (t) => t.skip(ITS_LONG_FORM));
} else {
  for (const technique of ['hardware', 'para'] as const) {
    test(`boots of ${technique} are measured against what is below it, started by hand`, async (t) => {
      const kind = HOST_OF[technique];
      const unfit = await unfitForNested(kind);
      if (unfit !== undefined) return t.skip(unfit);
      await using host = await NestedHost.clone(kind);
      await host.check(t, 'each boots until its agent has run a command', async (inner) => {
        await host.startDaemon();
        const reports = await host.client.call('techniques.list', { query: { refresh: 'true' } });
        const report = reports.find(({ id }) => id === technique);
        if (report?.state !== 'healthy') return inner.skip(report?.reason);
        await host.ok('touch /var/cache/mullion/apt/*/updated');
        const built = await host.cli(['image', 'build', 'debian/12']);
        assert.equal(built.code, 0, built.stderr);
        const program = await installProgram(host, PROGRAM);
        const told = await host.ok(`${host.node} ${program} ${technique} ${ROUNDS}`, MEASURE_MS);
        const measured = MeasuredSchema.parse(JSON.parse(told.split('\n').at(-1) ?? ''));
        const [managed, bare] = measured.map(({ samples }) => median(samples) / 1000);
        assert.ok(managed !== undefined && bare !== undefined);
        for (const { name, samples } of measured)
          t.diagnostic(
            `${technique}, ${name}: ${samples.map((each) => (each / 1000).toFixed(1)).join(', ')} s`,
          );
        t.diagnostic(`${technique}: ${(managed / bare).toFixed(2)} times the time of what is below it`);
      });
    });
  }
}
