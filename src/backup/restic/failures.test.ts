import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resticFailure } from './failures.ts';

const said = (stderr: string) => resticFailure('s3:https://host/bucket', 'init', 1, stderr);

test('what S3 says of wrong credentials, of a stranger’s certificate and of no bucket is told apart from damage', () => {
  const head = 'Fatal: create repository at s3:https://host/bucket failed: client.BucketExists: ';
  for (const words of [
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    'The AWS Access Key Id you provided does not exist in our records.',
    'Access Denied.',
    'Get "https://host/": x509: certificate signed by unknown authority',
    'The specified bucket does not exist',
  ]) {
    assert.equal(said(head + words).code, 'repository_unreachable', words);
  }
});

test('an SFTP server that ends while restic closes its files is one that cannot be reached', () => {
  const words =
    'Fatal: unable to save snapshot\nerror in cleanup handler: ssh command exited: exit status 255\n';
  assert.equal(said(words).code, 'repository_unreachable');
});

test('a repository that has lost what it should hold is damaged, in whatever way restic ends', () => {
  for (const words of [
    'Fatal: packs from index missing in repo\n',
    'pack 4cd3: unexpected file size: got 1048576, expected 3145892\n\nFatal: repository contains errors\n',
    'Fatal: repository contains errors\n',
    'panic: runtime error: slice bounds out of range\n\ngoroutine 1 [running]:\nmain.main()\n',
  ]) {
    assert.equal(said(words).code, 'backup_damaged', words);
  }
});

test('what is not known keeps the last of its words', () => {
  const failure = said('first\nFatal: something new\n');
  assert.equal(failure.code, 'command_failed');
  assert.match(failure.message, /something new$/);
});

test('data that is missed in a repository that is not there any more is no damage', () => {
  const stderr = 'Fatal: unable to save snapshot: open /r/data/00/x: no such file or directory\n';
  const failure = (isGone: boolean) => resticFailure('/r', 'backup', 1, stderr, () => isGone).code;
  assert.deepEqual([failure(false), failure(true)], ['backup_damaged', 'repository_unreachable']);
});
