import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MullionError } from '../../src/contract/errors.ts';
import { ApiWorld } from '../support/api-world.ts';
import { runCommand } from '../support/command.ts';
import { LAUNCHER } from '../support/daemon.ts';
import { eventually } from '../support/scratch.ts';

test('a scheduled backup that is missing shows in the list and in the metrics', async () => {
  const timings = { schedule: 5, question: 500, step: 2_000, close: 500 };
  await using api = await ApiWorld.start({ engine: { timings } });
  const { world, client } = api;
  const goTo = (time: string): void => {
    world.clock = () => new Date(time);
    world.backups.clock = world.clock;
  };
  const listed = async (): Promise<string> => {
    const env = { MULLION_URL: `unix:${api.socketPath}` };
    const { code, stdout, stderr } = await runCommand([LAUNCHER, 'list'], { env });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const isMeasured = (gauge: string, value: number): Promise<void> =>
    eventually(`${gauge} is ${value}`, async () => {
      const { text } = await api.raw({ method: 'GET', path: '/metrics' });
      return text.includes(`\nmullion_vps_backup_${gauge}{vps="web",project="default"} ${value}\n`);
    });

  goTo('2026-03-11T01:00:00Z');
  await client.call('vps.launch', { query: { wait: 5 }, body: { image: 'debian/12', name: 'web' } });
  await client.call('backups.addRepository', { body: { name: 'nas', url: '/srv/backups' } });
  await client.call('backups.setSchedule', { params: { name: 'web' }, body: { at: 'daily 02:00' } });
  assert.match(await listed(), /waiting/);
  const gate = Promise.withResolvers<void>();
  world.backups.gate = gate.promise;
  goTo('2026-03-13T12:00:00Z');
  await isMeasured('overdue', 1);
  await isMeasured('failed', 0);
  assert.match(await listed(), /overdue/);

  world.backups.failure = new MullionError('repository_unreachable', 'The disk is away.');
  gate.resolve();
  await isMeasured('failed', 1);
  await isMeasured('overdue', 0);
  assert.match(await listed(), /failed/);

  goTo('2026-03-14T12:00:00Z');
  await isMeasured('failed', 0);
  assert.match(await listed(), /\bok\b/);
});
