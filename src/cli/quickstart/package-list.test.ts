import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { choicesOf, packagesOf, parsePackageList } from './package-list.ts';

const LIST =
  '# comment\n\n[runtime]\ncrun # runs it\nqemu-system-x86 (amd64) # emulates\n[bench]\nlxc # beside us\n';

describe('the list of Debian packages', () => {
  test('gives each package its section and reason', () => {
    assert.deepEqual(parsePackageList(LIST)[1], {
      names: ['qemu-system-x86'],
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

  test('tells what does instead of a package that a release lacks', () => {
    const list = parsePackageList('[test]\ninstaller-13 | installer-12 (amd64) # boots\nfish # completes\n');
    assert.deepEqual(choicesOf(list, ['test'], 'x64'), [['installer-13', 'installer-12'], ['fish']]);
    assert.deepEqual(packagesOf(list, ['test'], 'x64'), ['installer-13', 'fish']);
    assert.deepEqual(choicesOf(list, ['test'], 'arm64'), [['fish']]);
  });

  test('names the line that it cannot read', () => {
    assert.throws(() => parsePackageList('[runtime]\ncrun\n'), /Line 2 .* crun/);
    assert.throws(() => parsePackageList('crun # in no section\n'), /Line 1/);
    assert.throws(() => parsePackageList('[other]\n'), /Line 1/);
  });

  test('of this checkout can be read, without a package named twice', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../debian-packages.txt'), 'utf8');
    const names = parsePackageList(text).flatMap(({ names }) => names);
    assert.ok(names.includes('crun'));
    assert.equal(new Set(names).size, names.length);
  });
});
