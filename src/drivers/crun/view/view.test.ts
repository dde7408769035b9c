import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coversOfProc, SHARES } from './proc-view.ts';
import { renderSys } from './sys-view.ts';

const facts = {
  names: [
    'self',
    'mounts',
    'net',
    'sys',
    'kallsyms',
    'a-file-of-a-later-kernel',
    'meminfo',
    'cgroups',
    'cmdline',
  ],
  controllers: '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t3\t417\t1\nmemory\t4\t98\t1\n',
  bootId: '01234567-89ab-4def-8123-456789abcdef',
  processors: 2,
  memory: 64 * 1024 ** 2,
};
const covers = coversOfProc(facts);
const textOf = (path: string): string | undefined => {
  const cover = covers.find((candidate) => candidate.path === path);
  return cover?.by === 'text' ? cover.text : undefined;
};

test('what is not named as the guest’s own is covered, on later kernels too', () => {
  const hidden = covers.filter(({ by }) => by === 'nothing').map(({ path }) => path);
  assert.ok(hidden.includes('kallsyms') && hidden.includes('a-file-of-a-later-kernel'));
  for (const own of ['self', 'mounts', 'net', 'sys'])
    assert.ok(!covers.some(({ path }) => path === own), own);
});

test('the number of groups on the host is not told', () => {
  assert.equal(
    textOf('cgroups'),
    '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t3\t1\t1\nmemory\t4\t1\t1\n',
  );
});

test('without a count, what is told is the guest’s limit', () => {
  assert.match(textOf('meminfo') ?? '', /^MemTotal: 65536 kB$/m);
  assert.equal(textOf('cpuinfo')?.match(/^processor/gm)?.length, 2);
  for (const name of SHARES) assert.notEqual(textOf(name), undefined, name);
  assert.equal(textOf('sys/kernel/random/boot_id'), `${facts.bootId}\n`);
});

test('no path is covered twice', () => {
  const paths = covers.map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length);
});

test('/sys has as many processors as the guest may use', () => {
  const tree = JSON.stringify(renderSys({ processors: 3, delegate: '', features: '' }));
  assert.match(tree, /"online":"0-2\\n"/);
  assert.equal(tree.match(/"core_id"/g)?.length, 3);
});
