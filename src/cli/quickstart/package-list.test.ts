import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { packagesOf, parsePackageList } from './package-list.ts';

const LIST =
  '# comment\n\n[runtime]\ncrun # runs it\nqemu-system-x86 (amd64) # emulates\n[bench]\nlxc # beside us\n';

describe('the list of Debian packages', () => {
  test('gives each package its section and reason', () => {
    assert.deepEqual(parsePackageList(LIST)[1], {
      name: 'qemu-system-x86',
      section: 'runtime',
      architecture: 'amd64',
      reason: 'emulates',
    });
  });

  test('leaves out the packages of other sections and other architectures', () => {
    const list = parsePackageList(LIST);
    assert.deepEqual(packagesOf(list, ['runtime'], 'x64'), ['crun', 'qemu-system-x86']);
    assert.deepEqual(packagesOf(list, ['runtime', 'bench'], 'arm64'), ['crun', 'lxc']);
  });

  test('names the line that it cannot read', () => {
    assert.throws(() => parsePackageList('[runtime]\ncrun\n'), /Line 2 .* crun/);
    assert.throws(() => parsePackageList('crun # in no section\n'), /Line 1/);
    assert.throws(() => parsePackageList('[other]\n'), /Line 1/);
  });

  test('of this checkout can be read, without a package named twice', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../debian-packages.txt'), 'utf8');
    const names = parsePackageList(text).map(({ name }) => name);
    assert.ok(names.includes('crun'));
    assert.equal(new Set(names).size, names.length);
  });
});
