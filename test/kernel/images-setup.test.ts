import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImageSetupSchema } from '../../src/contract/image-recipe.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { applySetup } from '../../src/images/setup.ts';
import { debianImage, NO_DEBIAN } from '../support/crun-fixture.ts';
import { jailsIn } from '../support/jails.ts';
import { scratchDirectory } from '../support/scratch.ts';

const image = debianImage();
const skip = image === undefined ? NO_DEBIAN : hasProgram('crun') ? false : 'crun is not installed';

test('a recipe adds users, files and what its commands do, without rights on the host', {
  skip,
}, async (t) => {
  using scratch = scratchDirectory('setup');
  chmodSync(scratch.path, 0o711);
  const root = join(scratch.path, 'root');
  await run(['cp', '--archive', '--reflink=auto', image?.rootfs ?? '', root], { timeoutMs: 300_000 });
  const apply = (setup: Parameters<typeof ImageSetupSchema.parse>[0]): Promise<void> =>
    applySetup(
      jailsIn(scratch.path),
      root,
      join(scratch.path, `place-${Math.random()}`),
      ImageSetupSchema.parse(setup),
      () => undefined,
      new AbortController().signal,
    );
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  await t.test('in the order of users, files and commands', async () => {
    await apply({
      users: [{ name: 'deploy', uid: 1500, groups: ['adm'], sshKeys: ['ssh-ed25519 AAAA key'] }],
      files: [
        { path: '/srv/app/run', content: base64('#!/bin/sh\necho app\n'), mode: '755', owner: 'deploy:adm' },
      ],
      commands: [
        '/srv/app/run > /srv/said',
        'id -u > /srv/uid',
        'ip route > /srv/routes',
        'test ! -e /sys/kernel',
      ],
    });
    const file = statSync(join(root, 'srv/app/run'));
    assert.deepEqual([file.mode & 0o7777, file.uid, file.gid], [0o755, 1500, 4]);
    assert.equal(readFileSync(join(root, 'srv/said'), 'utf8'), 'app\n');
    assert.equal(readFileSync(join(root, 'srv/uid'), 'utf8'), '0\n');
    assert.equal(readFileSync(join(root, 'srv/routes'), 'utf8'), '', 'there is no network');
    const keys = statSync(join(root, 'home/deploy/.ssh/authorized_keys'));
    assert.deepEqual([keys.mode & 0o777, keys.uid], [0o600, 1500]);
    assert.match(readFileSync(join(root, 'etc/group'), 'utf8'), /^adm:.*deploy/m);
  });

  await t.test('a command that fails is named with what it said', async () => {
    await assert.rejects(apply({ commands: ['true', 'echo cause >&2; false'] }), {
      code: 'build_failed',
      message: /run command 2 of 2 failed: cause/,
    });
  });

  await t.test('a command can make no device and reach nothing outside', async () => {
    const outside = join(scratch.path, 'outside');
    await apply({
      commands: [
        '! mknod /srv/disk b 8 0',
        `ln -s ${scratch.path} /srv/way; ! touch /srv/way/outside`,
        '! mount -t tmpfs none /mnt',
        'test "$(ls /proc | grep -c "^[0-9]")" -lt 10',
      ],
    });
    assert.ok(!existsSync(outside));
  });
});
