import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { PLAIN } from '../support/test-image.ts';

const GroupSchema = z.object({
  members: z.array(z.string()),
  rules: z.array(z.object({ peer: z.string(), count: z.object({ packets: z.number() }) })),
});
/** perl-base is in every Debian. */
const SERVER =
  'use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => shift, Listen => 9, ReuseAddr => 1) or die; ' +
  'while ($c = $s->accept) { print $c "page\\n"; close $c }';

if (enterPrivateNetns(import.meta.url)) {
  test('firewall groups by the command line, between VPSs of technique os', async (t) => {
    await using daemon = await TestDaemon.start('firewall');
    await daemon.ensureQuickImage();
    await daemon.ok(['project', 'create', 'bank']);
    const launch = (name: string, ...more: string[]) =>
      daemon.ok(['launch', 'quick', name, ...PLAIN, '--technique', 'os', '--memory', '128M', ...more]);
    await Promise.all([launch('web'), launch('db'), launch('vault', '--project', 'bank')]);
    const serve = (port: number) =>
      daemon.inside('db', `perl -e '${SERVER}' ${port} >/dev/null 2>&1 </dev/null &`);
    await Promise.all([serve(5432), serve(22)]);
    const asks = async (port: number): Promise<boolean> => {
      const script = `timeout 2 bash -c 'cat < /dev/tcp/db/${port}' 2>/dev/null || true`;
      return (await daemon.inside('web', script)) === 'page';
    };
    const opens = (port: number) => eventually(`${port} is open`, () => asks(port), 60_000);
    await opens(5432);
    await opens(22);
    const info = async () =>
      GroupSchema.parse(JSON.parse(await daemon.ok(['firewall', 'info', 'database', '--json'])));

    await daemon.check(t, 'a member is shut, then open for whom a rule names', async () => {
      for (const name of ['front', 'database']) await daemon.ok(['firewall', 'create', name]);
      await daemon.ok(['firewall', 'join', 'front', 'web']);
      await daemon.ok(['firewall', 'join', 'database', 'db']);
      assert.deepEqual([await asks(5432), await asks(22)], [false, false]);
      const rule = ['--protocol', 'tcp', '--port', '5000-6000', '--peer', 'group:front'];
      await daemon.ok(['firewall', 'rule', 'add', 'database', 'in', ...rule]);
      await opens(5432);
      assert.equal(await asks(22), false);
      const { members, rules } = await info();
      assert.deepEqual(members, ['db']);
      assert.ok((rules[0]?.count.packets ?? 0) >= 1);
      assert.match(
        await daemon.ok(['firewall', 'info', 'database']),
        /in +accept +tcp +5000-6000 +group:front/,
      );
    });
    await daemon.check(t, 'the rules stand while the daemon is dead, and after it is back', async () => {
      await daemon.kill9();
      await daemon.start();
      await opens(5432);
      assert.equal(await asks(22), false);
      assert.ok(((await info()).rules[0]?.count.packets ?? 0) >= 1);
    });
    await daemon.check(t, 'what a wrong command says', async () => {
      const wrong = await daemon.cli(['firewall', 'rule', 'add', 'database', 'in', '--peer', 'nobody']);
      assert.equal(wrong.code, 2);
      assert.match(wrong.stderr, /peer/);
      assert.equal((await daemon.cli(['firewall', 'delete', 'front'])).code, 2);
      assert.equal((await daemon.cli(['firewall', 'join', 'database', 'vault'])).code, 2);
    });
    await daemon.check(t, 'another project has another name server, and no way here', async () => {
      const look =
        "getent hosts db db.default.internal; timeout 2 bash -c 'cat < /dev/tcp/10.77.0.1/53'; true";
      const seen = await daemon.ok(['exec', 'vault', '--project', 'bank', '--', 'sh', '-c', look]);
      assert.equal(seen.trim(), '');
      const text = await daemon.metrics();
      assert.match(text, /mullion_vps_firewall_refused_packets_total\{vps="db".*\} [1-9]/);
      assert.match(text, /mullion_network_dropped_packets_total\{reason="foreign"\} [1-9]/);
    });
    await daemon.check(t, 'a group that is left leaves nothing behind', async () => {
      await daemon.ok(['firewall', 'rule', 'remove', 'database', '1']);
      await daemon.ok(['firewall', 'leave', 'database', 'db']);
      await daemon.ok(['firewall', 'leave', 'front', 'web']);
      await opens(5432);
      await opens(22);
      for (const name of ['front', 'database']) await daemon.ok(['firewall', 'delete', name]);
      assert.equal(JSON.parse(await daemon.ok(['firewall', 'list', '--json'])).length, 0);
    });
  });
}
