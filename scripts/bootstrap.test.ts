import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../test/support/command.ts';

const ROOT = join(import.meta.dirname, '..');

test('the size that bootstrap shows as the whole is what npm installs', async () => {
  const script = readFileSync(join(ROOT, 'scripts/bootstrap.sh'), 'utf8');
  const told = Number(/^readonly PACKAGES_MIB=(\d+)/m.exec(script)?.[1]);
  // npm 9 does not ask which C library there is, and installs what is for the other one too.
  const besides = ['--exclude=.cache', '--exclude=*-musl'];
  const measure = ['du', '--summarize', '--apparent-size', '--block-size=1M', ...besides];
  const { stdout } = await runCommand([...measure, join(ROOT, 'node_modules')]);
  const installed = Number.parseInt(stdout, 10);
  assert.ok(Math.abs(told - installed) < installed * 0.1, `${told} MiB told, ${installed} MiB there`);
});
