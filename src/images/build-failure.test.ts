import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MullionError } from '../contract/errors.ts';
import { buildFailure, reasonOf } from './build-failure.ts';

const failed = (stderr: string): MullionError =>
  new MullionError('command_failed', 'apt-get failed with exit code 100', {
    details: { exitCode: 100, stderr },
  });

test('an unknown package is named, with the way to correct it', () => {
  const failure = buildFailure(failed('E: Unable to locate package nginxx\n'), 'getting the packages');
  assert.ok(failure instanceof MullionError);
  assert.equal(failure.code, 'build_failed');
  assert.match(failure.message, /Unable to locate package nginxx/);
  assert.match(failure.remedy, /--include PACKAGE/);
  assert.equal(failure.details.exitCode, 100);
});

test('a lost mirror is told by its cause without its name, which the details keep', () => {
  const stderr =
    'W: Retry\nE: Failed to fetch http://mirror.example:80/debian/pool/a.deb  Could not connect to mirror.example:80 (192.0.2.1). - connect (111: Connection refused)\nE: Unable to fetch some archives';
  const failure = buildFailure(failed(stderr), 'getting the packages');
  assert.ok(failure instanceof MullionError);
  assert.match(failure.message, /Failed to fetch mirror:\/debian\/pool\/a\.deb .*Connection refused/);
  assert.doesNotMatch(failure.message, /example|192\.0/);
  assert.match(String(failure.details.stderr), /mirror\.example/);
  assert.match(failure.remedy, /resumes/);
});

test('cancelling and a missing program keep their codes', () => {
  for (const code of ['cancelled', 'host_unfit'] as const) {
    const failure = new MullionError(code, 'x');
    assert.equal(buildFailure(failure, 'mmdebstrap'), failure);
  }
});

test('the first complaint is the reason, and warnings are none', () => {
  assert.equal(reasonOf('I: starting\nW: old\ndpkg: error: a\nE: b\n'), 'dpkg: error: a');
  assert.equal(reasonOf('W: old\n'), undefined);
});
