import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ResticBackend } from '../../src/backup/restic/restic-backend.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { quietly, refused } from '../conformance/backups.ts';
import { runCommand } from '../support/command.ts';
import { scratchDirectory } from '../support/scratch.ts';

const signal = new AbortController().signal;
/** A bucket, and a file as the tools of AWS read it. */
const { MULLION_TEST_S3_URL: url, MULLION_TEST_S3_CREDENTIALS: file } = process.env;

test('backups to S3', async (t) => {
  if (url === undefined || file === undefined) {
    return t.skip(
      'no S3 server of one program is in Debian 12 or 13; set MULLION_TEST_S3_URL=s3:https://HOST/BUCKET and MULLION_TEST_S3_CREDENTIALS=FILE to run it against yours',
    );
  }
  if (!hasProgram('restic')) return t.skip('the program restic is not installed');
  using scratch = scratchDirectory('backup-s3');
  const secrets = join(scratch.path, 'secrets');
  const backend = new ResticBackend({
    secretsDirectory: secrets,
    cacheDirectory: join(scratch.path, 'cache'),
    patience: { retryMs: 20_000 },
  });
  const place = { id: 'aaaaaaaaaaaa', url: `${url}/${randomBytes(6).toString('hex')}` };
  const credentials = readFileSync(file, 'utf8');
  const wrong = credentials.replace(/^(aws_secret_access_key\s*=\s*).*$/m, '$1wrong');
  const source = join(scratch.path, 'source');
  const target = join(scratch.path, 'target');
  for (const folder of [source, target]) mkdirSync(folder);
  writeFileSync(join(source, 'data'), randomBytes(32 * 1024 * 1024));

  await assert.rejects(backend.add(place, { credentials: wrong }, signal), refused('repository_unreachable'));
  await backend.add(place, { credentials }, signal);
  const { saved } = await backend.save(place, { folder: source, labels: { a: '1' }, ...quietly });
  await backend.restore(place, saved.id, { target, signal });
  assert.equal((await runCommand(['cmp', join(source, 'data'), join(target, 'data')])).code, 0);
  await backend.forget(place, [saved.id], signal);
  assert.deepEqual(await backend.list(place, signal), []);
});
