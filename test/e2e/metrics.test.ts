import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import * as z from 'zod';
import { MIB } from '../../src/contract/sizes.ts';
import { ApiWorld } from '../support/api-world.ts';
import { TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { PLAIN } from '../support/test-image.ts';

/** Values by name and labels as they are written; each line must be of the format, and each name declared once. */
function parse(text: string): Map<string, number> {
  const types = new Map<string, string>();
  const values = new Map<string, number>();
  for (const line of text.trimEnd().split('\n')) {
    const type = /^# TYPE ([a-z_]+) (counter|gauge)$/.exec(line);
    if (type !== null) {
      assert.ok(!types.has(type[1] ?? ''), `${type[1]} is declared once`);
      types.set(type[1] ?? '', type[2] ?? '');
    }
    if (line.startsWith('#')) continue;
    const [, name = '', labels = '', value = ''] =
      /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (-?[\d.e+-]+)$/.exec(line) ?? [];
    assert.ok(types.has(name), `"${line}" is of a declared name`);
    assert.ok(types.get(name) === 'gauge' || name.endsWith('_total'), line);
    values.set(`${name}${labels}`, Number(value));
  }
  return values;
}

const RowSchema = z.array(
  z.object({
    name: z.string(),
    cpuPercent: z.number(),
    cappedPercent: z.number().nullable(),
    stolenPercent: z.number().nullable(),
    memoryStalledPercent: z.number().nullable(),
    ioStalledPercent: z.number().nullable(),
  }),
);

if (enterPrivateNetns(import.meta.url)) {
  test('the metrics tell of every VPS what it got and lost, of its backups, of tasks and of requests', async () => {
    await using api = await ApiWorld.start();
    await api.client.call('vps.launch', {
      query: { wait: 5 },
      body: { image: 'debian/12', name: 'web', diskWriteRate: 20_000_000, networkOutRate: 100_000_000 },
    });
    await api.client.call('backups.addRepository', { body: { name: 'nas', url: '/srv/backups' } });
    await api.client.call('backups.setSchedule', {
      params: { name: 'web' },
      body: { repository: 'nas', at: 'daily 02:00' },
    });
    await api.raw({ method: 'GET', path: '/v1/vps/ghost' });
    await api.raw({ method: 'GET', path: '/v1/nowhere' });
    const answer = await api.raw({ method: 'GET', path: '/metrics' });
    assert.equal(answer.status, 200, answer.text);
    assert.match(String(answer.headers['content-type']), /^text\/plain/);
    const metrics = parse(answer.text);
    const web = '{vps="web",project="default",technique="os"}';
    const expected: Record<string, number> = {
      [`mullion_vps_cpu_seconds_total${web}`]: 1.5,
      [`mullion_vps_cpu_waited_seconds_total${web}`]: 0.75,
      [`mullion_vps_cpu_throttled_seconds_total${web}`]: 0.25,
      [`mullion_vps_processes${web}`]: 3,
      [`mullion_vps_disk_written_limit_bytes_per_second${web}`]: 20_000_000,
      [`mullion_vps_network_sent_limit_bits_per_second${web}`]: 100_000_000,
      'mullion_vps_state{vps="web",project="default",technique="os",state="running"}': 1,
      'mullion_vps_backup_overdue{vps="web",project="default"}': 0,
      'mullion_tasks_total{kind="vps.launch",outcome="done"}': 1,
      mullion_node_cpu_stolen_seconds_total: 1,
      'mullion_api_requests_total{method="GET",path="/v1/vps/:name",status="404"}': 1,
      'mullion_api_requests_total{method="GET",path="none",status="404"}': 1,
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(metrics.get(name), value, name);
    assert.equal(metrics.has(`mullion_vps_disk_read_limit_bytes_per_second${web}`), false);
  });

  test('what a VPS asks of its disk is counted once, whatever lies below the pool', async () => {
    await using daemon = await TestDaemon.start('metrics', { config: { network: { enabled: false } } });
    await daemon.ensureQuickImage();
    await daemon.ok(['launch', 'quick', 'busy', ...PLAIN, '--technique', 'os', '--memory', '128M']);
    const counted = async (what: string): Promise<number> => {
      const name = `mullion_vps_disk_${what}_bytes_total{vps="busy",project="default",technique="os"}`;
      return parse(await daemon.metrics()).get(name) ?? Number.NaN;
    };
    const before = { written: await counted('written'), read: await counted('read') };
    await daemon.inside('busy', 'dd if=/dev/zero of=/root/data bs=1M count=64 oflag=direct');
    await daemon.inside('busy', 'dd if=/root/data of=/dev/null bs=1M iflag=direct');
    // A look at all of them serves those who ask within a second.
    for (const what of ['written', 'read'] as const) {
      let bytes = 0;
      await eventually(`what was ${what} is counted`, async () => {
        bytes = (await counted(what)) - before[what];
        return bytes >= 64 * MIB;
      });
      assert.ok(bytes < 80 * MIB, `${bytes} bytes ${what}`);
    }
  });

  test('what a limit keeps from a VPS and what neighbours take from it are told apart', async (t) => {
    await using daemon = await TestDaemon.start('metrics', { config: { network: { enabled: false } } });
    await daemon.ensureQuickImage();
    const launch = (name: string, cpus: string) =>
      daemon.ok(['launch', 'quick', name, ...PLAIN, '--technique', 'os', '--cpus', cpus, '--memory', '128M']);
    await Promise.all([launch('capped', '0.1'), launch('calm', '1')]);
    const burn = (name: string, processes: number) =>
      daemon.inside(
        name,
        `for i in $(seq ${processes}); do timeout 120 sh -c 'while :; do :; done' >/dev/null 2>&1 </dev/null & done`,
      );
    const rows = async () => {
      const found = RowSchema.parse(JSON.parse(await daemon.ok(['top', '--once', '--json'])));
      return Object.fromEntries(found.map((row) => [row.name, row]));
    };
    await burn('capped', 1);
    await daemon.check(t, 'a limit', async () => {
      await eventually(
        'the limit shows',
        async () => {
          const { capped, calm } = await rows();
          return (
            (capped?.cappedPercent ?? 0) > 30 && (capped?.cpuPercent ?? 100) < 30 && calm?.cappedPercent === 0
          );
        },
        60_000,
      );
    });
    await daemon.check(t, 'its own threads', async () => {
      const cpus = availableParallelism();
      await launch('alone', String(cpus));
      await burn('alone', 4 * cpus);
      await eventually('it is busy', async () => ((await rows()).alone?.cpuPercent ?? 0) > 5, 60_000);
      const { cpuPercent, stolenPercent } = (await rows()).alone ?? assert.fail();
      assert.ok(
        (stolenPercent ?? 0) <= Math.max(0, 100 * cpus - cpuPercent) + 0.1,
        `${cpuPercent} and ${stolenPercent}`,
      );
      await daemon.ok(['stop', 'alone', '--force']);
    });
    await daemon.check(t, 'neighbours', async (inner) => {
      if ((await rows()).calm?.stolenPercent === null)
        return inner.skip('this kernel counts no pressure of groups');
      await burn('calm', 1);
      await launch('greedy', '64').catch(() => launch('greedy', '2'));
      await burn('greedy', 8);
      await eventually(
        'it shows that neighbours take',
        async () => ((await rows()).calm?.stolenPercent ?? 0) > 5,
        60_000,
      );
      const text = await daemon.ok(['top', '--once']);
      assert.match(text, /CAPPED%\s+STOLEN%.*MSTALL%.*DSTALL%/);
      return undefined;
    });
  });
}
