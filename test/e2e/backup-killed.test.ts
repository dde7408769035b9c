import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Progress, Task } from '../../src/contract/tasks.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';
import { PLAIN } from '../support/test-image.ts';

const LONG = { timeoutMs: 300_000 };

if (!enterPrivateNetns(import.meta.url)) {
  // The inner process has the tests.
} else if (!hasProgram('restic')) {
  test('a daemon that is killed at a backup', (t) => t.skip('the program restic is not installed'));
} else {
  test('a daemon that is killed at a backup leaves nothing half done', async (t) => {
    using scratch = scratchDirectory('backup-killed');
    const repository = join(scratch.path, 'repository');
    await using daemon = await TestDaemon.start('backup-killed');
    await daemon.ensureQuickImage();
    await daemon.ok(['backup', 'repo', 'add', 'disk', repository]);
    await daemon.ok(['launch', 'quick', 'web', ...PLAIN, '--technique', 'os', '--disk', '1G']);
    await daemon.inside('web', 'head -c 200M /dev/urandom > /root/data; sync');
    const checksum = await daemon.inside('web', 'sha256sum < /root/data');

    /** Begins a task, and kills the daemon once a part of the task has that name; begins again where the part was missed. */
    const killAt = async (args: readonly string[], part: RegExp, tries = 5): Promise<string> => {
      const id = (await daemon.ok([...args, '--no-wait'])).trim();
      const running = (progress: Progress): boolean =>
        (part.test(progress.name) && progress.state === 'running') || progress.children.some(running);
      let task: Task | undefined;
      await eventually(
        `${args.join(' ')} is at ${part}`,
        async () => {
          task = await daemon.client.call('tasks.info', { params: { id } });
          return task.state !== 'running' || running(task.progress);
        },
        120_000,
      );
      if (task?.state === 'done' && tries > 1) return killAt(args, part, tries - 1);
      assert.equal(task?.state, 'running', `it was killed at its work: ${JSON.stringify(task)}`);
      await daemon.kill9();
      await eventually('restic ends with the daemon', () => restics(repository) === 0, 10_000);
      return id;
    };

    const settled = async (id: string): Promise<void> => {
      await daemon.start();
      const task = await daemon.client.call('tasks.info', { params: { id }, query: { wait: 60 } });
      assert.equal(task.error?.code, 'cancelled', JSON.stringify(task));
      const { volumes } = await daemon.client.call('pools.info', { params: { name: 'default' } });
      assert.equal(volumes, 1);
      assert.deepEqual(
        (await daemon.client.call('vps.list')).map(({ name, state }) => [name, state]),
        [['web', 'running']],
      );
      const pool = join(daemon.place.stateDirectory, 'pool');
      assert.deepEqual(readdirSync(join(pool, 'making')), []);
      assert.equal(readdirSync(join(pool, 'images')).length, 1);
    };

    for (const part of [/save the image/, /save what changed/]) {
      await daemon.check(t, `at "${part.source}" of a backup`, async () => {
        await settled(await killAt(['backup', 'create', 'web'], part));
      });
    }

    await daemon.check(t, 'and the next backup is whole', async () => {
      await daemon.ok(['backup', 'create', 'web'], LONG);
    });

    await daemon.check(t, 'at the restore of the data', async () => {
      const id = await newest(daemon);
      await settled(await killAt(['backup', 'restore', id, 'twin'], /restore the data/));
    });

    await daemon.check(t, 'while a restored VPS is verified', async () => {
      const id = await newest(daemon);
      await settled(await killAt(['backup', 'verify', id], /start it|wait until it answers|shut it down/));
    });

    await daemon.check(t, 'and what was backed up comes back whole', async () => {
      await daemon.ok(['backup', 'restore', await newest(daemon), 'twin'], LONG);
      assert.equal(await daemon.inside('twin', 'sha256sum < /root/data'), checksum);
    });
  });
}

async function newest(daemon: TestDaemon): Promise<string> {
  const list: { id: string }[] = JSON.parse(await daemon.ok(['backup', 'list', '--json']));
  assert.equal(list.length, 1);
  return list.at(-1)?.id ?? '';
}

/** Programs that work on the repository. */
function restics(repository: string): number {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return text.startsWith('restic\0') && text.includes(repository);
    } catch {
      return false;
    }
  }).length;
}
