import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NESTED_KINDS } from '../support/nested/kinds.ts';
import { NestedHost } from '../support/nested/nested-host.ts';
import { unfitForNested } from '../support/nested/template.ts';
import { enterPrivateNetns } from '../support/netns.ts';

const kind = NESTED_KINDS.kvm;
const SLOW_MS = 300_000;

if (enterPrivateNetns(import.meta.url)) {
  test('on systemd, cgroup v2 and AMD-V, three techniques are proved, slow as the host is', async (t) => {
    const unfit = await unfitForNested(kind);
    if (unfit !== undefined) return t.skip(unfit);
    await using host = await NestedHost.clone(kind);

    await host.check(t, 'each row is true, with its evidence', async () => {
      await host.startDaemon(SLOW_MS);
      const techniques = await host.client.call('techniques.list');
      const healthy = techniques.filter(({ state }) => state === 'healthy').map(({ id }) => id);
      for (const id of ['os', 'full', 'hardware'] as const)
        assert.ok(healthy.includes(id), JSON.stringify(techniques.find((each) => each.id === id)));
      const evidence = techniques.find(({ id }) => id === 'hardware')?.evidence.join('\n') ?? '';
      assert.match(evidence, /svm[\s\S]*kvm_amd[\s\S]*64-bit guest ran/);
      assert.ok(!healthy.includes('para'), 'it is no domain 0');
    });
  });
}
