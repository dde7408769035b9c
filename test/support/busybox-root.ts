import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { craftTar, type Member } from './crafted-archive.ts';
import type { TestDaemon } from './daemon.ts';

const APPLETS = 'cat chown dd echo head hostname ls mkdir rm sh sleep stat sync true'.split(' ');

/** The archive of a small root file system with an init system, and more in it. */
const busyboxRoot = (more: readonly Member[]): Buffer =>
  craftTar([
    { name: './', type: '5' },
    ...['bin', 'sbin', 'etc', 'srv', 'tmp', 'var', 'root'].map((name) => ({ name: `./${name}/`, type: '5' })),
    { name: './bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
    ...APPLETS.map((name) => ({ name: `./bin/${name}`, type: '2', link: 'busybox' })),
    { name: './sbin/init', type: '2', link: '../bin/busybox' },
    { name: './etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\n' },
    { name: './etc/group', content: 'root:x:0:\n' },
    ...more,
  ]);

/** Begins an import; `given` settles when the archive is handed over. */
export async function importBusybox({ client }: TestDaemon, name: string, more: readonly Member[] = []) {
  const task = await client.call('images.import', { body: { name } });
  const content = Readable.from([busyboxRoot(more)]);
  return { task, given: client.upload('images.upload', { params: { task: task.id } }, content) };
}

/** The same to its end. */
export async function makeBusyboxImage(
  daemon: TestDaemon,
  name: string,
  more: readonly Member[] = [],
): Promise<void> {
  const { task, given } = await importBusybox(daemon, name, more);
  await given;
  const call = { params: { id: task.id }, query: { wait: 60 } };
  const { state, error } = await daemon.client.call('tasks.info', call);
  assert.equal(state, 'done', error?.message);
}
