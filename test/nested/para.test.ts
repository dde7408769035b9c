import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NESTED_KINDS } from '../support/nested/kinds.ts';
import { NestedHost } from '../support/nested/nested-host.ts';
import { unfitForNested } from '../support/nested/template.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';

/** A guest of an emulated hypervisor boots Debian in minutes. */
const BOOT_MS = 600_000;
const CALL_MS = 120_000;
const MEMORY = 256;

if (enterPrivateNetns(import.meta.url)) {
  test('a nested Xen host runs a VPS of technique para', async (t) => {
    const kind = NESTED_KINDS.xen;
    const unfit = await unfitForNested(kind);
    if (unfit !== undefined) return t.skip(unfit);
    await using host = await NestedHost.clone(kind);
    await host.startDaemon();
    const cli = async (args: readonly string[], options: { stdin?: string; timeoutMs?: number } = {}) => {
      const result = await host.cli(args, { timeoutMs: CALL_MS, ...options });
      assert.equal(result.code, 0, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
      return result.stdout.trimEnd();
    };
    const inside = (script: string): Promise<string> => cli(['exec', 'web', '--', 'sh', '-c', script]);
    const answers = async (): Promise<boolean> =>
      (await host.cli(['exec', 'web', '--', 'true'], { timeoutMs: CALL_MS })).code === 0;
    const info = () => host.client.call('vps.info', { params: { name: 'web' } });
    const domains = (): Promise<string> => host.ok("xl list | tail -n +3 | awk '{print $1}'");

    await host.check(t, 'para is healthy, with what a guest said as evidence', async () => {
      const para = (await host.client.call('techniques.list')).find(({ id }) => id === 'para');
      assert.equal(para?.state, 'healthy', para?.reason);
      assert.match(para?.evidence.join('\n') ?? '', /control_d[\s\S]*a test guest said/);
      const left = await domains();
      assert.equal(left, '');
    });

    await host.check(t, 'it boots Debian on the hypervisor', async () => {
      await cli(['image', 'build', 'debian/12'], { timeoutMs: BOOT_MS });
      const launch = ['launch', 'debian/12', 'web', '--technique', 'para', '--memory', `${MEMORY}M`];
      await cli([...launch, '--disk', '1G'], { timeoutMs: BOOT_MS });
      await eventually('the agent answers', answers, BOOT_MS);
      assert.equal(await inside('cat /sys/hypervisor/type; cat /proc/1/comm; hostname'), 'xen\nsystemd\nweb');
      assert.match(await domains(), /^mullion-[0-9a-f]{4}-\S+$/);
      assert.equal(await host.ok('pgrep -c qemu-system || true'), '0');
    });

    await host.check(
      t,
      'exec keeps the streams apart, takes any bytes, and hands on the exit code',
      async () => {
        const script = 'cat; echo err >&2; exit 7';
        const result = await host.cli(['exec', 'web', '--', 'sh', '-c', script], {
          stdin: 'over\nthere\n',
          timeoutMs: CALL_MS,
        });
        assert.deepEqual([result.code, result.stdout, result.stderr], [7, 'over\nthere\n', 'err\n']);
      },
    );

    await host.check(t, 'its link is on the bridge, and its address answers', async () => {
      const [address = ''] = (await info()).addresses;
      assert.ok((await inside('ip -4 -o address show dev eth0')).includes(`${address}/`));
      await eventually(
        'it answers',
        async () =>
          (await host.exec(['/bin/bash', '-c', `exec 3<>/dev/tcp/${address}/22 && head -c 4 <&3`])).stdout ===
          'SSH-',
        CALL_MS,
      );
      assert.match(await host.ok('ip -o link show type bridge_slave || ip -o link'), /mv[0-9a-f]{4}-/);
    });

    await host.check(t, 'it pauses and resumes', async () => {
      await cli(['pause', 'web']);
      assert.equal((await info()).state, 'paused');
      await cli(['resume', 'web']);
      assert.ok(await answers());
    });

    await host.check(t, 'its memory and its share of processors change while it runs', async () => {
      const total = async (): Promise<number> =>
        Number(await inside("awk '/MemTotal/ {print $2}' /proc/meminfo"));
      const before = await total();
      await cli(['set', 'web', `memory=${MEMORY + 64}M`, 'cpus=0.5']);
      assert.ok((await total()) > before + 40 * 1024);
      assert.match(await host.ok('xl sched-credit2 | tail -n 1'), /\b50$/);
      await cli(['set', 'web', `memory=${MEMORY}M`, 'cpus=1']);
      assert.deepEqual((await info()).pendingRestart, []);
    });

    await host.check(t, 'it outlives the daemon, which finds it again', async () => {
      const before = await host.ok('xl list | tail -n 1');
      await host.ok('systemctl kill --signal=KILL mullion; systemctl restart mullion', CALL_MS);
      await host.whenAnswering(CALL_MS);
      await eventually('it runs', async () => (await info()).state === 'running', CALL_MS);
      assert.equal((await host.ok('xl list | tail -n 1')).split(/\s+/)[1], before.split(/\s+/)[1]);
      await inside('echo after-the-daemon > /dev/console');
      await eventually(
        'its log goes on',
        async () => (await cli(['logs', 'web'])).includes('after-the-daemon'),
        CALL_MS,
      );
    });

    await host.check(t, 'it stops in good order and is deleted without a trace', async () => {
      await cli(['stop', 'web', '--timeout', '90'], { timeoutMs: BOOT_MS });
      assert.equal((await info()).state, 'stopped');
      const left = await domains();
      assert.equal(left, '');
      await cli(['delete', 'web', '--force']);
      assert.equal(
        await host.ok('losetup --noheadings --raw --output BACK-FILE | grep -c disk.raw || true'),
        '0',
      );
      assert.equal(await host.ok('pgrep -cx socat || true'), '1');
    });
  });
}
