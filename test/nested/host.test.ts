import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { NESTED_KINDS } from '../support/nested/kinds.ts';
import { NestedHost } from '../support/nested/nested-host.ts';
import { unfitForNested } from '../support/nested/template.ts';
import { enterPrivateNetns } from '../support/netns.ts';

const BYTES = Buffer.alloc(1024 * 1024, Buffer.from([...Array(251).keys()]));

if (enterPrivateNetns(import.meta.url)) {
  for (const kind of Object.values(NESTED_KINDS)) {
    test(`a nested ${kind.name} host serves its tests`, async (t) => {
      const unfit = await unfitForNested(kind);
      if (unfit !== undefined) return t.skip(unfit);
      await using host = await NestedHost.clone(kind);
      await using other = await NestedHost.clone(kind);

      await host.check(t, 'it is what it shall be, and was cloned in seconds', async () => {
        await host.ok(kind.proof);
        t.diagnostic(`cloned in ${Math.round(host.clonedIn)} and ${Math.round(other.clonedIn)} ms`);
        assert.ok(Math.min(host.clonedIn, other.clonedIn) < 10_000, `${host.clonedIn} ms`);
      });

      await host.check(
        t,
        'systemd is its first process, on cgroup v2 alone, and its clock is right',
        async () => {
          assert.equal(await host.ok('cat /proc/1/comm; stat -f -c %T /sys/fs/cgroup'), 'systemd\ncgroup2fs');
          assert.ok(Math.abs(Number(await host.ok('date +%s')) - Date.now() / 1000) < 10);
        },
      );

      await host.check(t, 'commands give their exit code and both streams, and take any bytes', async () => {
        const result = await host.exec(['/bin/sh', '-c', 'echo out; echo err >&2; exit 7']);
        assert.deepEqual(result, { code: 7, stdout: 'out\n', stderr: 'err\n' });
        const summed = await host.exec(['/usr/bin/sha256sum'], { stdin: BYTES });
        assert.equal(summed.stdout.split(' ')[0], createHash('sha256').update(BYTES).digest('hex'));
      });

      await host.check(t, 'what one clone writes, the other does not see', async () => {
        await host.ok('echo mine > /root/mine; sync');
        assert.equal((await other.exec(['/bin/cat', '/root/mine'])).code, 1);
      });

      await host.check(t, 'its network leads nowhere, not even to this machine', async () => {
        const server = createServer((socket) => socket.end('reached'));
        await once(server.listen(0, '127.0.0.1'), 'listening');
        const address = server.address();
        assert.ok(typeof address === 'object' && address !== null);
        // 10.0.2.2 is this machine's loopback to a guest of QEMU's user network.
        const reach = `exec 3<>/dev/tcp/10.0.2.2/${address.port} && cat <&3`;
        const { stdout } = await host.exec(['/usr/bin/timeout', '5', 'bash', '-c', reach]);
        server.close();
        assert.equal(stdout, '');
      });

      await host.check(t, 'the bundle is installed, and its daemon answers outside', async () => {
        await host.startDaemon();
        const { version } = await host.client.call('server.info');
        assert.equal(await host.ok(`${host.installed}/mullion --version`), `mullion ${version}`);
        const techniques = await host.client.call('techniques.list');
        assert.equal(techniques.length, 5);
      });

      if (kind.hypervisor !== undefined) return;
      await host.check(
        t,
        'three techniques are proved, slow as the host is, with their evidence',
        async () => {
          const techniques = await host.client.call('techniques.list');
          const healthy = techniques.filter(({ state }) => state === 'healthy').map(({ id }) => id);
          for (const id of ['os', 'full', 'hardware'] as const)
            assert.ok(healthy.includes(id), JSON.stringify(techniques.find((each) => each.id === id)));
          const evidence = techniques.find(({ id }) => id === 'hardware')?.evidence.join('\n') ?? '';
          assert.match(evidence, /svm[\s\S]*kvm_amd[\s\S]*64-bit guest ran/);
          assert.ok(!healthy.includes('para'), 'it is no domain 0');
        },
      );
    });
  }
}
