import assert from 'node:assert/strict';
import { chownSync, cpSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { runCommand } from '../support/command.ts';
import { LAUNCHER, ROOT, TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { listVps } from './verbs.ts';

const ResultSchema = z.object({
  changed: z.boolean(),
  steps: z.array(
    z.object({ step: z.string(), changed: z.boolean(), message: z.string(), seconds: z.number() }),
  ),
  next: z.array(z.object({ command: z.string(), does: z.string() })).min(3),
});

/** Tells one life of the VPS from the next. */
const lifeOf = (daemon: TestDaemon): Promise<string> =>
  daemon.inside('first', 'cat /proc/sys/kernel/random/boot_id; stat -c %Y /proc/1');

/** A checkout that runs as this one does, and that another build has come out of. */
function olderBuild(folder: string): string {
  const root = join(folder, 'older');
  mkdirSync(root);
  for (const name of ['mullion', 'package.json', 'debian-packages.txt', 'packaging', 'dist']) {
    cpSync(join(ROOT, name), join(root, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'dist/build-id'), 'older');
  return root;
}

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

    await daemon.check(t, 'after a new build the daemon is a new one, and the VPS goes on', async () => {
      const older = olderBuild(daemon.folder);
      await daemon.ok(['daemon', 'stop']);
      const begun = await runCommand([join(older, 'mullion'), 'daemon', 'start'], {
        env: daemon.environment,
      });
      assert.equal(begun.code, 0, begun.stderr);
      const before = await daemon.client.call('server.info');
      const life = await lifeOf(daemon);
      const { steps } = await quickstart();
      assert.deepEqual(
        steps.filter((step) => step.changed).map(({ step }) => step),
        ['daemon'],
      );
      const after = await daemon.client.call('server.info');
      assert.notEqual(after.build, before.build);
      assert.notEqual(after.pid, before.pid);
      assert.equal(await lifeOf(daemon), life);
      assert.equal((await quickstart()).changed, false);
    });

    await daemon.check(t, 'a daemon that began before the group was there begins anew', async () => {
      const group = statSync(daemon.socket).gid;
      assert.notEqual(group, 0);
      chownSync(daemon.socket, 0, 0);
      const life = await lifeOf(daemon);
      const { steps } = await quickstart();
      assert.match(steps.find(({ step }) => step === 'daemon')?.message ?? '', /before the group mullion/);
      assert.equal(statSync(daemon.socket).gid, group);
      assert.equal(await lifeOf(daemon), life);
    });

    await daemon.check(t, 'it says for people what each step found and what to type next', async () => {
      const { stdout, stderr } = await daemon.cli(['quickstart']);
      assert.match(stderr, /Debian packages: all \d+ are installed/);
      assert.match(stdout, /nothing had to be changed[\s\S]*mullion list/);
    });

    await daemon.check(t, 'daemon stop ends it, and the VPS goes on', async () => {
      const life = await lifeOf(daemon);
      await daemon.ok(['daemon', 'stop']);
      assert.equal((await daemon.cli(['list'])).code, 6);
      await daemon.ok(['daemon', 'start']);
      assert.equal(await lifeOf(daemon), life);
    });
  });
}
