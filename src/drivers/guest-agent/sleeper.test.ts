import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { renderNewIdentity, SLEEPER_PROGRAM } from './sleeper.ts';

test('an identity tells the length of everything, so that no content can be taken for something else', () => {
  const content = Buffer.from('f 511 1 1\nmullion: all of it\n');
  const text = renderNewIdentity({
    now: 12.5,
    name: 'web',
    threadsMax: 99,
    entries: [
      { kind: 'directory', path: 'root/.ssh', mode: 0o700 },
      { kind: 'file', path: 'etc/é', mode: 0o600, content },
      { kind: 'symlink', path: 'etc/link', target: '/dev/null' },
    ],
  }).toString();
  assert.equal(
    text,
    `12 500000 99 web\nd 448 9 0\nroot/.sshf 384 6 ${content.length}\netc/é${content}l 0 8 9\netc/link/dev/null\nmullion: all of it\n`,
  );
});

test('the program that waits for it is Perl', (t) => {
  const checked = spawnSync('perl', ['-c'], { input: SLEEPER_PROGRAM, encoding: 'utf8' });
  if (checked.error !== undefined) return t.skip('there is no perl here');
  assert.match(checked.stderr, /syntax OK/);
});
