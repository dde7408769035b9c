import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasProgram } from '../../src/host/programs.ts';
import { quietly, refused } from '../conformance/backups.ts';
import { runCommand } from '../support/command.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { resticIn } from '../support/restic.ts';
import { scratchDirectory } from '../support/scratch.ts';
import { knownHosts, SftpServer } from '../support/sftp-server.ts';

const signal = new AbortController().signal;
const missing = ['restic', 'sshd', 'ssh'].filter((program) => !hasProgram(program));

if (!enterPrivateNetns(import.meta.url)) {
  // The inner process has the tests.
} else if (missing.length > 0) {
  test('backups over SFTP', (t) => t.skip(`not installed: ${missing.join(', ')}`));
} else {
  test('backups over SFTP, against the server of OpenSSH', async (t) => {
    using scratch = scratchDirectory('backup-sftp');
    const keys = join(scratch.path, 'keys');
    await using server = new SftpServer(keys);
    await server.start();
    const backend = resticIn(scratch.path, { retryMs: 3_000 });
    const place = { id: 'aaaaaaaaaaaa', url: server.url(join(scratch.path, 'repository')) };
    const { userKey, knownHosts: hosts } = server;
    const source = join(scratch.path, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'data'), randomBytes(32 * 1024 * 1024));

    await t.test('a key that the server does not know is refused, and leaves nothing', async () => {
      const credentials = readFileSync(join(keys, 'stranger'), 'utf8');
      await assert.rejects(
        backend.add(place, { credentials, knownHosts: hosts }, signal),
        refused('repository_unreachable'),
      );
      await assert.rejects(backend.add(place, {}, signal), refused('invalid_request'));
      assert.deepEqual(await backend.places(), []);
    });

    await t.test('a server with another key than was told is not spoken to', async () => {
      const wrong = knownHosts(join(keys, 'stranger.pub'));
      await assert.rejects(
        backend.add(place, { credentials: userKey, knownHosts: wrong }, signal),
        refused('repository_unreachable'),
      );
      assert.ok(!existsSync(join(scratch.path, 'repository')));
    });

    await t.test('what was saved comes back', async () => {
      await backend.add(place, { credentials: userKey.trimEnd(), knownHosts: hosts }, signal);
      const { saved } = await backend.save(place, { folder: source, labels: { a: '1' }, ...quietly });
      const target = join(scratch.path, 'target');
      mkdirSync(target);
      await backend.restore(place, saved.id, { target, signal });
      assert.equal((await runCommand(['cmp', join(source, 'data'), join(target, 'data')])).code, 0);
    });

    await t.test('the key that the server shows first is believed from then on', async () => {
      const again = { id: 'bbbbbbbbbbbb', url: place.url };
      const key = await backend.key(place);
      await backend.add(again, { key, credentials: userKey }, signal);
      assert.match(
        readFileSync(join(scratch.path, 'secrets', again.id, 'known_hosts'), 'utf8'),
        /^\[127\.0\.0\.1\]:2222 ssh-ed25519 /,
      );
      assert.equal((await backend.list(again, signal)).length, 1);
    });

    await t.test('a server that ends in the middle is told, and all is well when it is back', async () => {
      writeFileSync(join(source, 'data'), randomBytes(96 * 1024 * 1024));
      let stopped: Promise<void> | undefined;
      const save = backend.save(place, {
        folder: source,
        labels: { a: '2' },
        signal,
        onProgress: () => {
          stopped ??= server.stop();
        },
      });
      await assert.rejects(save, refused('repository_unreachable'));
      await stopped;
      await assert.rejects(backend.list(place, signal), refused('repository_unreachable'));
      await server.start();
      assert.equal((await backend.list(place, signal)).length, 1);
      const { saved } = await backend.save(place, { folder: source, labels: { a: '3' }, ...quietly });
      await backend.forget(place, [saved.id], signal);
    });
  });
}
