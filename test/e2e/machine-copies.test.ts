import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { LONG_FORM } from '../support/long-form.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { infoOf } from './verbs.ts';

const LONG = { timeoutMs: 600_000 };
const MIB = 1024 ** 2;
/** What makes a machine itself: no two may share a line. */
const OWN = 'cat /etc/machine-id /etc/hostname; grep -hv ^00:00:00:00 /sys/class/net/*/address';
/** Of the root file system's device. */
const ROOT_SECTORS = 'cat /sys/class/block/$(basename $(findmnt -no SOURCE /))/size';
const size = (daemon: TestDaemon, name: string): Promise<number> =>
  daemon.inside(name, 'df --output=size -B1 / | tail -n 1').then(Number);

if (enterPrivateNetns(import.meta.url)) {
  test('machines with kernels of their own are copied, renamed and grown', async (t) => {
    await using daemon = await TestDaemon.start('machine-copies');
    await daemon.ensureQuickImage();
    const techniques = await daemon.client.call('techniques.list');

    for (const technique of LONG_FORM ? (['full', 'kernel', 'hardware'] as const) : (['full'] as const)) {
      const report = techniques.find(({ id }) => id === technique);
      if (report?.state !== 'healthy') {
        await t.test(`${technique}: is copied while it runs`, (inner) => inner.skip(report?.reason));
        continue;
      }
      const flags = ['--technique', technique, '--memory', '192M', '--disk', '600M'];
      const copy = `${technique}-copy`;

      await daemon.check(t, `${technique}: a copy of what runs is a server of its own`, async () => {
        await daemon.ok(['launch', 'quick', technique, ...flags], LONG);
        await daemon.inside(technique, 'echo precious >/root/data; sync', LONG);
        const boot = 'cat /proc/sys/kernel/random/boot_id';
        const before = await daemon.inside(technique, boot);
        await daemon.ok(['copy', technique, copy, '--start'], LONG);
        assert.equal(await daemon.inside(copy, 'cat /root/data', LONG), 'precious');
        assert.equal(await daemon.inside(technique, boot), before, 'the first runs on');
        const lines = [technique, copy].map((name) => daemon.inside(name, OWN));
        const [ours, theirs] = (await Promise.all(lines)).map((text) => text.split('\n'));
        assert.equal(ours?.length, 3);
        for (const line of ours ?? []) assert.ok(!theirs?.includes(line), line);
        assert.equal(theirs?.[1], copy);
        const [one, two] = [await infoOf(daemon, technique), await infoOf(daemon, copy)];
        assert.ok(one.addresses.every((address) => !two.addresses.includes(address)));
        assert.deepEqual(two.limits, one.limits);
      });

      await daemon.check(t, `${technique}: a renamed machine has its name after its next start`, async () => {
        const renamed = await daemon.cli(['rename', copy, `${copy}-2`]);
        assert.equal(renamed.code, 0, renamed.stderr);
        assert.equal(await daemon.inside(`${copy}-2`, 'cat /root/data'), 'precious');
        await daemon.ok(['restart', `${copy}-2`, '--force'], LONG);
        assert.equal(await daemon.inside(`${copy}-2`, 'cat /etc/hostname', LONG), `${copy}-2`);
        await daemon.ok(['delete', `${copy}-2`, '--force'], LONG);
      });

      await daemon.check(t, `${technique}: its disk grows, and does not shrink below its data`, async () => {
        const before = await size(daemon, technique);
        const isLive = report.features.liveDisk;
        await daemon.ok(['set', technique, 'disk=1G'], LONG);
        const { pendingRestart } = await infoOf(daemon, technique);
        assert.deepEqual(pendingRestart, isLive ? [] : ['disk']);
        if (!isLive) await daemon.ok(['restart', technique, '--force'], LONG);
        const grown = await daemon.inside(technique, ROOT_SECTORS, LONG);
        assert.equal(Number(grown) * 512, 1024 * MIB);
        if (isLive) assert.ok((await size(daemon, technique)) > before + 300 * MIB);
        const refused = await daemon.cli(['set', technique, 'disk=300M']);
        assert.equal(refused.code, 2, refused.stdout);
        assert.match(refused.stderr, /smaller|shrink/);
        assert.equal(await daemon.inside(technique, 'cat /root/data'), 'precious');
      });
    }
  });
}
