import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { packagesOf, parsePackageList } from '../cli/quickstart/package-list.ts';
import { programsFor } from './programs.ts';

/** What they hold is read, not run. */
const WITHOUT_PROGRAM = new Set(['debian-archive-keyring', 'ovmf']);

test('doctor looks for a program of every package that quickstart installs', () => {
  const list = parsePackageList(readFileSync(join(import.meta.dirname, '../../debian-packages.txt'), 'utf8'));
  for (const arch of ['x64', 'arm64']) {
    const installed = packagesOf(list, ['runtime'], arch).filter((name) => !WITHOUT_PROGRAM.has(name));
    const lookedFor = programsFor(arch).map(({ package: name }) => name);
    assert.deepEqual(lookedFor.toSorted(), installed.toSorted(), arch);
  }
});
