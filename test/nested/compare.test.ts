import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MEASURES } from '../../src/cli/compare/measures.ts';
import { ITS_LONG_FORM, LONG_FORM } from '../support/long-form.ts';
import { HOST_OF } from '../support/nested/kinds.ts';
import { NestedDoor } from '../support/nested/nested-door.ts';
import { NestedHost } from '../support/nested/nested-host.ts';
import { unfitForNested } from '../support/nested/template.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { PrintedComparisonSchema } from '../support/printed-comparison.ts';

const COMPARE_MS = 2_400_000;

if (!enterPrivateNetns(import.meta.url)) {
  // The inner process has the tests.
} else if (!LONG_FORM) {
  test('hardware and para are compared with containers of their hosts', (t) => t.skip(ITS_LONG_FORM));
} else {
  for (const technique of ['hardware', 'para'] as const) {
    test(`${technique} is compared with a container of the same host`, async (t) => {
      const kind = HOST_OF[technique];
      const unfit = await unfitForNested(kind);
      if (unfit !== undefined) return t.skip(unfit);
      await using host = await NestedHost.clone(kind);
      const door = new NestedDoor(host);
      await host.check(t, 'each does the same work, and nothing is left', async () => {
        await host.startDaemon();
        await host.ok('touch /var/cache/mullion/apt/*/updated');
        const asked = ['os', technique].flatMap((each) => ['--technique', each]);
        const told = await door.ok(['compare', '--quick', '--json', ...asked], { timeoutMs: COMPARE_MS });
        const { techniques } = PrintedComparisonSchema.parse(JSON.parse(told));
        assert.deepEqual(techniques.map((each) => each.technique).sort(), [technique, 'os'].sort());
        for (const { technique: measured, state, reason, values } of techniques) {
          t.diagnostic(
            `${measured}: ${Object.entries(values)
              .map(([id, { value }]) => `${id} ${value?.toPrecision(3) ?? '-'}`)
              .join(', ')}`,
          );
          assert.equal(state, 'measured', `${measured}: ${reason}`);
          for (const { id } of MEASURES)
            assert.ok((values[id]?.value ?? 0) > 0, `${measured}, ${id}: ${JSON.stringify(values[id])}`);
        }
        assert.deepEqual(await host.client.call('vps.list'), []);
      });
    });
  }
}
