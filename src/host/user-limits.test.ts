import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchDirectory } from '../../test/support/scratch.ts';
import { raiseHostLimits } from './user-limits.ts';

test('a limit of the host is raised, never lowered, and passed over where the kernel has none', () => {
  using scratch = scratchDirectory('limits');
  const write = (name: string, text: string): void => writeFileSync(join(scratch.path, name), text);
  const read = (name: string): string => readFileSync(join(scratch.path, name), 'utf8');
  mkdirSync(join(scratch.path, 'kernel/pty'), { recursive: true });
  mkdirSync(join(scratch.path, 'fs'));
  write('kernel/pty/max', '4096\n');
  write('fs/file-max', '9223372036854775807\n');
  raiseHostLimits({ 'kernel/pty/max': 262_144, 'fs/file-max': 1000, 'fs/absent': 5 }, scratch.path);
  assert.equal(read('kernel/pty/max'), '262144');
  assert.equal(read('fs/file-max'), '9223372036854775807\n');
  assert.throws(() => read('fs/absent'), { code: 'ENOENT' });
});
