import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MullionError } from '../contract/errors.ts';
import { parseRepositoryUrl } from './repository-url.ts';

describe('the URL of a repository', () => {
  test('is a folder, an SFTP server or an S3 bucket', () => {
    assert.deepEqual(parseRepositoryUrl('/srv/backups/'), { kind: 'folder', path: '/srv/backups' });
    assert.deepEqual(parseRepositoryUrl('sftp:joe@backup.example.org:/srv/b'), {
      kind: 'sftp',
      user: 'joe',
      host: 'backup.example.org',
      port: undefined,
    });
    assert.deepEqual(parseRepositoryUrl('sftp://joe@[fd00::1]:2222//srv/b'), {
      kind: 'sftp',
      user: 'joe',
      host: 'fd00::1',
      port: 2222,
    });
    assert.deepEqual(parseRepositoryUrl('s3:https://s3.example.org/bucket/folder'), { kind: 's3' });
    assert.deepEqual(parseRepositoryUrl('s3:http://127.0.0.1:9000/bucket'), { kind: 's3' });
  });

  test('names nothing that a program could take for an option or another file', () => {
    for (const url of [
      'relative',
      '/',
      '/srv/../etc',
      'sftp:-oProxyCommand=x:/srv',
      'sftp:-l@host:/srv',
      'sftp://host:99999//srv',
      'sftp:host',
      'rest:http://host/',
      's3:nothing',
      's3:https://host/buck et',
    ]) {
      assert.throws(() => parseRepositoryUrl(url), MullionError, url);
    }
  });

  test('is refused with a password in it, which the error does not repeat', () => {
    for (const url of ['sftp://joe:hunter2@host//srv', 's3:https://id:hunter2@host/bucket']) {
      assert.throws(
        () => parseRepositoryUrl(url),
        (error) => error instanceof MullionError && !JSON.stringify(error.toBody()).includes('hunter2'),
      );
    }
  });
});
