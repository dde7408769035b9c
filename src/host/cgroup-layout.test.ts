import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hierarchyRoots, planLayout } from './cgroup-layout.ts';
import type { MountEntry } from './mounts.ts';

const v1 = (name: string, ...more: string[]): MountEntry => ({
  target: `/sys/fs/cgroup/${name}`,
  source: 'cgroup',
  fstype: 'cgroup',
  options: ['rw', 'nosuid', 'relatime', 'rw', ...more],
});
const v2 = (target: string): MountEntry => ({
  target,
  source: 'cgroup2',
  fstype: 'cgroup2',
  options: ['rw', 'nsdelegate'],
});

test('one cgroup2 mount with controllers is v2', () => {
  const layout = planLayout([v2('/sys/fs/cgroup')], () => ['cpu', 'memory', 'pids']);
  assert.equal(layout.layout, 'v2');
  assert.equal(layout.controllers.memory, '/sys/fs/cgroup');
  assert.deepEqual(hierarchyRoots(layout), ['/sys/fs/cgroup']);
});

test('v1 controllers beside a cgroup2 tree are hybrid, and a joint hierarchy counts once', () => {
  const layout = planLayout(
    [
      v1('cpu,cpuacct', 'cpu', 'cpuacct'),
      v1('systemd', 'xattr', 'name=systemd'),
      v2('/sys/fs/cgroup/unified'),
    ],
    () => ['hugetlb'],
  );
  assert.equal(layout.layout, 'hybrid');
  assert.equal(layout.controllers.cpuacct, '/sys/fs/cgroup/cpu,cpuacct');
  assert.equal(layout.controllers['name=systemd'], '/sys/fs/cgroup/systemd');
  assert.equal(layout.controllers.hugetlb, '/sys/fs/cgroup/unified');
  assert.deepEqual(hierarchyRoots(layout).sort(), [
    '/sys/fs/cgroup/cpu,cpuacct',
    '/sys/fs/cgroup/systemd',
    '/sys/fs/cgroup/unified',
  ]);
});

test('v1 alone is v1, and nothing at all is an error with a remedy', () => {
  assert.equal(planLayout([v1('memory', 'memory')], () => []).layout, 'v1');
  assert.throws(() => planLayout([], () => []), { code: 'host_unfit', remedy: /mount -t cgroup2/ });
});
