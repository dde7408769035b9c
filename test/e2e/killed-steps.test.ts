import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { saveStream } from '../../src/cli/download.ts';
import type { Task } from '../../src/contract/tasks.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { importBusybox, makeBusyboxImage } from '../support/busybox-root.ts';
import { CACHE, TestDaemon } from '../support/daemon.ts';
import { nothingLeft } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';

const missing = ['crun', 'busybox', 'mkfs.btrfs', 'mke2fs', 'qemu-img'].filter((name) => !hasProgram(name));
const skip = missing.length === 0 ? false : `these programs are not installed: ${missing.join(', ')}`;
const SECONDS = 60;
/** More than what lies between a daemon and a client that does not read on. */
const MORE = { name: './srv/more', content: Buffer.alloc(16 * 1024 ** 2) };
const EXPORT = 'image:default/small/export';

/** A work under way; `given` settles when its client has given or got all. */
interface Begun {
  readonly task: Task;
  readonly given: Promise<unknown>;
}

/** Works by the queues that run them. */
const worksOf = (daemon: TestDaemon, file: string) => ({
  'image:default/published': async (): Promise<Begun> => ({
    task: await daemon.client.call('images.publish', { body: { vps: 'web', name: 'published' } }),
    given: Promise.resolve(),
  }),
  'image:default/imported': () => importBusybox(daemon, 'imported'),
  [EXPORT]: async (): Promise<Begun> => {
    const body = { format: 'qcow2' } as const;
    const task = await daemon.client.call('images.export', { params: { name: 'small' }, body });
    const content = await daemon.client.stream('images.download', { params: { task: task.id } });
    return { task, given: saveStream(content, file) };
  },
});

if (enterPrivateNetns(import.meta.url)) {
  test('a daemon may be killed after any step of a work', { skip }, async (t) => {
    await using daemon = await TestDaemon.start('killed-steps', {
      poolSize: '2G',
      config: { network: { enabled: false } },
      module: 'standing-daemon.ts',
      env: { NODE_COMPILE_CACHE: join(CACHE, 'compiled') },
      start: false,
    });
    const { client, folder } = daemon;
    const pool = join(daemon.place.stateDirectory, 'pool');
    const exported = join(folder, 'out.qcow2');
    const ended = ({ id }: Task): Promise<Task> =>
      client.call('tasks.info', { params: { id }, query: { wait: SECONDS } });
    const done = async (task: Task): Promise<void> => {
      const { state, error } = await ended(task);
      assert.equal(state, 'done', `${task.kind}: ${error?.message}`);
    };
    const stopAt = (stops: Readonly<Record<string, number>>): void =>
      writeFileSync(join(folder, 'stops'), JSON.stringify(stops));

    stopAt({});
    await daemon.start();
    await makeBusyboxImage(daemon, 'small', [MORE]);
    await daemon.ok(['launch', 'small', 'web', '--technique', 'os', '--memory', '64M', '--disk', '64M']);
    await daemon.inside('web', 'echo written > /srv/state; head -c 4M /dev/urandom > /srv/bulk; sync');
    const works = new Map(Object.entries(worksOf(daemon, exported)));
    const before = await daemon.inventory();

    /** Names, kinds and sizes of the files of what the works made, by its name. */
    const results = async (): Promise<Map<string, string>> => {
      const made = (await client.call('images.list')).filter(({ name }) => name !== 'small');
      const lists = made.map(async ({ id, name }) => {
        const options = ['!', '-name', 'image.json', '-printf', '%P %y %m %s\\n'];
        const { stdout } = await run(['find', `${pool}/images/${id}`, ...options]);
        return [name, stdout.split('\n').sort().join('\n')] as const;
      });
      return new Map(await Promise.all(lists));
    };

    /** Deletes what the works made, so that they can be done again; then all is as it was. */
    const clear = async (): Promise<void> => {
      for (const { name } of await client.call('images.list'))
        if (name !== 'small') await done(await client.call('images.delete', { params: { name } }));
      for (const name of readdirSync(`${pool}/images`).filter((one) => one.endsWith('.disk')))
        await run(['btrfs', 'subvolume', 'delete', `${pool}/images/${name}`]);
      await nothingLeft(before, () => daemon.inventory());
    };

    /** The calls that are the nth of their works. */
    const callsAt = (step: number): string[] =>
      existsSync(join(folder, 'calls'))
        ? readFileSync(join(folder, 'calls'), 'utf8')
            .split('\n')
            .filter((line) => line.split(' ')[1] === String(step))
        : [];

    /** Begins each work and waits until it has come to that step, or has ended: then it is left out from now on. */
    const goTo = async (step: number): Promise<readonly Promise<boolean>[]> => {
      stopAt(Object.fromEntries([...works.keys()].map((queue) => [queue, step])));
      rmSync(join(folder, 'calls'), { force: true });
      const tasks = new Map<string, Task>();
      const clients = [...works].map(async ([queue, begin]) => {
        const { task, given } = await begin();
        tasks.set(queue, task);
        await given;
        return queue === EXPORT;
      });
      const isThere = async (queue: string): Promise<boolean> => {
        if (callsAt(step).some((line) => line.startsWith(`${queue} `))) return true;
        const task = tasks.get(queue);
        if (task === undefined || (await client.call('tasks.info', { params: task })).state === 'running')
          return false;
        await done(task);
        works.delete(queue);
        return true;
      };
      await eventually(
        'each work stands still or has ended',
        async () => (await Promise.all([...works.keys()].map(isThere))).every(Boolean),
        SECONDS * 1000,
      );
      // One that stands still has not answered its client, and one that is killed never will.
      return clients.map((given) => given.catch(() => false));
    };

    const whole = new Map<string, string>();
    await daemon.check(t, 'and the next one leaves nothing that is half done', async () => {
      for (let step = 1; works.size > 0; step++) {
        const clients = await goTo(step);
        await daemon.kill9();
        const gotFile = (await Promise.all(clients)).some(Boolean);
        assert.equal(existsSync(exported), gotFile, 'a file under that name is whole');
        if (gotFile) await run(['qemu-img', 'check', exported]);
        rmSync(exported, { force: true });
        assert.deepEqual(
          readdirSync(folder).filter((name) => name.includes('.part-')),
          [],
        );
        stopAt({});
        await daemon.start();
        for (const task of await client.call('tasks.list')) await ended(task);
        const made = await results();
        t.diagnostic(`killed at ${callsAt(step).join(', ')}; there is ${[...made.keys()].join(', ')}`);
        for (const [name, list] of made) {
          assert.equal(list, whole.get(name) ?? list, `${name} after step ${step}`);
          whole.set(name, list);
        }
        await clear();
      }
    });

    await daemon.check(t, 'nor does a client that was reading an export have a file', async () => {
      const task = await client.call('images.export', { params: { name: 'small' }, body: { format: 'tar' } });
      const content = await client.stream('images.download', { params: { task: task.id } });
      const killing = async function* (): AsyncGenerator<Uint8Array> {
        for await (const piece of content) {
          yield piece;
          await daemon.kill9();
        }
      };
      await assert.rejects(saveStream(killing(), exported), /went away|broke off|aborted/);
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.startsWith('out.')),
        [],
      );
      await daemon.start();
      await nothingLeft(before, () => daemon.inventory());
    });

    await daemon.check(t, 'while the VPS goes on', async () => {
      assert.deepEqual([...whole.keys()].sort(), ['imported', 'published']);
      assert.equal(await daemon.inside('web', 'cat /srv/state'), 'written');
    });
  });
}
