import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import * as z from 'zod';
import { runCommand } from '../support/command.ts';
import { LAUNCHER, TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { listVps } from './verbs.ts';

const ResultSchema = z.object({
  changed: z.boolean(),
  steps: z.array(
    z.object({ step: z.string(), changed: z.boolean(), message: z.string(), seconds: z.number() }),
  ),
  next: z.array(z.object({ command: z.string(), does: z.string() })).min(3),
});

if (enterPrivateNetns(import.meta.url)) {
  test('quickstart sets the machine up, and may be run again at any time', async (t) => {
    await using daemon = await TestDaemon.start('quickstart', { start: false });
    const quickstart = async () => {
      const result = await runCommand([LAUNCHER, 'quickstart', '--json'], {
        env: daemon.environment,
        timeoutMs: 900_000,
      });
      assert.equal(result.code, 0, result.stdout + result.stderr);
      return { ...ResultSchema.parse(JSON.parse(result.stdout)), milliseconds: result.milliseconds };
    };

    await daemon.check(t, 'a run that is killed in the middle is repaired by the next', async () => {
      await runCommand([LAUNCHER, 'quickstart'], {
        env: daemon.environment,
        onStart: (child) => setTimeout(() => child.kill('SIGKILL'), 1_500).unref(),
      });
      const { steps } = await quickstart();
      assert.equal(steps.at(-1)?.step, 'VPS first');
    });

    await daemon.check(t, 'afterwards the VPS first runs, and the daemon answers a user', async () => {
      assert.deepEqual(
        (await listVps(daemon)).map(({ name, state }) => [name, state]),
        [['first', 'running']],
      );
      assert.equal(await daemon.inside('first', 'hostname'), 'first');
      assert.ok(existsSync(daemon.socket));
    });

    await daemon.check(t, 'a second run changes nothing and takes seconds', async () => {
      const { changed, steps, milliseconds } = await quickstart();
      assert.deepEqual(
        steps.filter((step) => step.changed),
        [],
      );
      assert.equal(changed, false);
      assert.ok(milliseconds < 10_000, `${milliseconds} ms`);
    });

    await daemon.check(t, 'it starts what was stopped, and leaves data alone', async () => {
      await daemon.inside('first', 'echo mine > /root/mine');
      await daemon.ok(['stop', 'first']);
      const { steps } = await quickstart();
      assert.deepEqual(
        steps.filter((step) => step.changed).map(({ step }) => step),
        ['VPS first'],
      );
      assert.equal(await daemon.inside('first', 'cat /root/mine'), 'mine');
    });

    await daemon.check(t, 'it says for people what each step found and what to type next', async () => {
      const { stdout, stderr } = await daemon.cli(['quickstart']);
      assert.match(stderr, /Debian packages: all \d+ are installed/);
      assert.match(stdout, /nothing had to be changed[\s\S]*mullion list/);
    });

    await daemon.check(t, 'daemon stop ends it, and the VPS goes on', async () => {
      const pid = await daemon.inside('first', 'cat /proc/sys/kernel/random/boot_id; stat -c %Y /proc/1');
      await daemon.ok(['daemon', 'stop']);
      assert.equal((await daemon.cli(['list'])).code, 6);
      await daemon.ok(['daemon', 'start']);
      assert.equal(
        await daemon.inside('first', 'cat /proc/sys/kernel/random/boot_id; stat -c %Y /proc/1'),
        pid,
      );
    });
  });
}
