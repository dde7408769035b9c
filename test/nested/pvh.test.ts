import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ITS_LONG_FORM, LONG_FORM } from '../support/long-form.ts';
import { XEN_WITH_HVM } from '../support/nested/kinds.ts';
import { NestedDoor } from '../support/nested/nested-door.ts';
import { NestedHost } from '../support/nested/nested-host.ts';
import { unfitForNested } from '../support/nested/template.ts';
import { enterPrivateNetns } from '../support/netns.ts';

const MINUTES = 60_000;
/** Each exit of the guest costs an emulated processor's emulated virtualization much. */
const PATIENCE = { timeoutMs: 15 * MINUTES };

if (!enterPrivateNetns(import.meta.url)) {
  // The inner process has the test.
} else if (!LONG_FORM) {
  test('on a domain 0 whose processor runs PVH guests', (t) => t.skip(ITS_LONG_FORM));
} else {
  test('on a domain 0 whose processor runs PVH guests, VPSs of the technique para are PVH', async (t) => {
    const unfit = await unfitForNested(XEN_WITH_HVM);
    if (unfit !== undefined) return t.skip(unfit);
    await using host = await NestedHost.clone(XEN_WITH_HVM);
    const door = new NestedDoor(host);
    const state = async (): Promise<string> =>
      (await host.client.call('vps.info', { params: { name: 'dom' } })).state;

    await host.check(t, 'techniques tells which kind a test guest had', async () => {
      await host.startDaemon(5 * MINUTES);
      const para = (await host.client.call('techniques.list')).find(({ id }) => id === 'para');
      assert.equal(para?.state, 'healthy', JSON.stringify(para));
      assert.match(para.evidence.join('\n'), /guests are PVH[\s\S]*a test guest said/);
    });

    await host.check(t, 'an ordinary image boots, and runs commands', async () => {
      await host.ok('touch /var/cache/mullion/apt/*/updated');
      await door.ok(['image', 'build', 'debian/12']);
      await door.ok(['launch', 'debian/12', 'dom', '--technique', 'para', '--memory', '256M']);
      await door.answers('dom', PATIENCE.timeoutMs);
      const said = await door.inside('dom', 'cat /sys/hypervisor/guest_type /proc/1/comm', PATIENCE);
      assert.equal(said, 'PVH\nsystemd');
    });

    await host.check(t, 'it is paused, resumed, stopped and deleted', async () => {
      await door.ok(['pause', 'dom']);
      assert.equal(await state(), 'paused');
      await door.ok(['resume', 'dom']);
      assert.equal(await door.inside('dom', 'echo back', PATIENCE), 'back');
      await door.ok(['stop', 'dom', '--force']);
      assert.equal(await state(), 'stopped');
      await door.ok(['delete', 'dom']);
      assert.equal(await host.ok("xl list | awk 'NR > 2'"), '');
    });
  });
}
