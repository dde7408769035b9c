import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasProgram } from '../../src/host/programs.ts';
import { quietly, refused } from '../conformance/backups.ts';
import { runCommand } from '../support/command.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { resticIn } from '../support/restic.ts';
import { S3Server } from '../support/s3/s3-server.ts';
import { scratchDirectory } from '../support/scratch.ts';

const signal = new AbortController().signal;

if (enterPrivateNetns(import.meta.url)) {
  test('backups to S3, against the server of OpenStack', async (t) => {
    const missing = S3Server.missing() ?? (hasProgram('restic') ? undefined : 'not installed: restic');
    if (missing !== undefined) return t.skip(missing);
    using scratch = scratchDirectory('backup-s3');
    await using server = new S3Server(join(scratch.path, 'server'));
    await server.start();
    const backend = resticIn(scratch.path, { retryMs: 5_000 });
    const place = { id: 'aaaaaaaaaaaa', url: `${server.url}/folder` };
    const { credentials } = server;
    const source = join(scratch.path, 'source');
    const target = join(scratch.path, 'target');
    for (const folder of [source, target]) mkdirSync(folder);
    writeFileSync(join(source, 'data'), randomBytes(32 * 1024 * 1024));

    await t.test('a key that the server does not know is refused, and leaves nothing', async () => {
      const wrong = credentials.replace('testing', 'guessed');
      await assert.rejects(
        backend.add(place, { credentials: wrong }, signal),
        refused('repository_unreachable'),
      );
      assert.deepEqual(await backend.places(), []);
    });

    await t.test('what was saved comes back, and what is forgotten is gone', async () => {
      await backend.add(place, { credentials }, signal);
      const { saved } = await backend.save(place, { folder: source, labels: { a: '1' }, ...quietly });
      await backend.restore(place, saved.id, { target, signal });
      const same = await runCommand(['cmp', join(source, 'data'), join(target, 'data')]);
      assert.equal(same.code, 0, same.stderr);
      await backend.forget(place, [saved.id], signal);
      assert.deepEqual(await backend.list(place, signal), []);
    });

    await t.test('a server that is gone is said to be, and is used again when it is back', async () => {
      await server.stop();
      const save = () => backend.save(place, { folder: source, labels: { a: '2' }, ...quietly });
      await assert.rejects(save(), refused('repository_unreachable'));
      await server.start();
      await save();
      assert.equal((await backend.list(place, signal)).length, 1);
    });
  });
}
