import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { findings, importsOf, ROOM_RULES, ruleOf, withoutComments } from './import-rules.ts';

const messages = (path: string, source: string): string[] =>
  findings(path, source).map(({ message }) => message);

describe('the import rules', () => {
  test('are those of the table in ARCHITECTURE.md, room for room', () => {
    const text = readFileSync(join(import.meta.dirname, '../ARCHITECTURE.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `(src\/[^`]+)` \|/gm)].map(([, room]) => room);
    assert.deepEqual(rows.toSorted(), ROOM_RULES.map(({ path }) => path).toSorted());
  });

  test('a room may import what its rule names, and its own files', () => {
    assert.deepEqual(
      messages('src/engine/plan.ts', "import { x } from '../core/naming.ts';\nimport './y.ts';"),
      [],
    );
    assert.deepEqual(
      messages('src/engine/plan.ts', "import type { Driver } from '../drivers/driver.ts';"),
      [],
    );
  });

  test('a room may not import another that its rule does not name', () => {
    assert.deepEqual(messages('src/engine/plan.ts', "import { run } from '../host/run.ts';"), [
      'src/engine may not import src/host/run.ts',
    ]);
    assert.deepEqual(messages('src/contract/vps.ts', "import { readFileSync } from 'node:fs';"), [
      'src/contract may not import node:fs',
    ]);
    assert.deepEqual(messages('src/cli/list.ts', "const x = await import('fastify');"), [
      'src/cli may not import the package fastify',
    ]);
  });

  test('a driver never imports another driver, and only the registry imports one', () => {
    assert.equal(messages('src/drivers/crun/driver.ts', "import { a } from '../qemu/qmp.ts';").length, 1);
    assert.equal(messages('src/drivers/probe.ts', "import { a } from './qemu/qmp.ts';").length, 1);
    assert.deepEqual(messages('src/drivers/registry.ts', "import { a } from './qemu/driver.ts';"), []);
    assert.deepEqual(messages('src/daemon.ts', "import { a } from './drivers/qemu/driver.ts';"), []);
  });

  test('only src/host spawns processes', () => {
    const source = "import { spawn } from 'node:child_process';";
    assert.deepEqual(messages('src/drivers/crun/state.ts', source), [
      'only src/host may import node:child_process',
    ]);
    assert.deepEqual(messages('src/daemon.ts', source), ['only src/host may import node:child_process']);
    assert.deepEqual(messages('src/host/run.ts', source), []);
  });

  test('only src/host touches /proc and /sys; naming them is no offence', () => {
    assert.equal(messages('src/drivers/crun/state.ts', "readFileSync('/proc/1/stat')").length, 1);
    assert.equal(messages('src/network/bridge.ts', 'await readdir(`/sys/class/net`)').length, 1);
    assert.deepEqual(messages('src/drivers/crun/render.ts', "const mount = { destination: '/proc' };"), []);
    assert.deepEqual(messages('src/host/processes.ts', "readFileSync('/proc/1/stat')"), []);
  });

  test('no conditional on the name of a technique outside the drivers', () => {
    for (const source of [
      "if (vps.technique === 'os') {}",
      "if (driver.name !== 'qemu') {}",
      "if ('xen' === machine.driver) {}",
      'switch (vps.technique) {}',
    ]) {
      assert.equal(messages('src/engine/plan.ts', source).length, 1, source);
      assert.deepEqual(messages('src/drivers/qemu/driver.ts', source), [], source);
    }
    assert.deepEqual(messages('src/engine/plan.ts', "if (part === 'kernel') {}"), []);
  });

  test('an import in a comment or spread over lines is read right', () => {
    assert.deepEqual(importsOf('src/a/b.ts', withoutComments("// import x from '../host/run.ts'\n")), []);
    assert.deepEqual(importsOf('src/a/b.ts', "import {\n  x,\n} from '../c/d.ts';"), [
      { line: 3, target: 'src/c/d.ts' },
    ]);
  });

  test('the longest rule wins, and a file of no room is an offence', () => {
    assert.equal(ruleOf('src/cli/quickstart/apt.ts')?.path, 'src/cli/quickstart');
    assert.equal(messages('src/stray/x.ts', '').length, 1);
    assert.equal(messages('src/engine/utils/x.ts', '').length, 1);
  });
});
