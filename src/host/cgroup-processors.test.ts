import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchDirectory } from '../../test/support/scratch.ts';
import { CgroupProcessors, parseProcessors } from './cgroup-processors.ts';

test('a list of processors is read with its ranges', () => {
  assert.deepEqual(parseProcessors('0-3,8\n'), [0, 1, 2, 3, 8]);
  assert.deepEqual(parseProcessors('5'), [5]);
  assert.deepEqual(parseProcessors('\n'), []);
  // What nohz_full says where there is none.
  assert.deepEqual(parseProcessors('  (null)\n'), []);
});

test('on cgroup v2 a group is kept on some, and on what its parent has again', () => {
  using scratch = scratchDirectory('processors');
  const group = join(scratch.path, 'all/one');
  mkdirSync(group, { recursive: true });
  writeFileSync(join(group, 'cpuset.cpus.effective'), '0-1\n');
  writeFileSync(join(group, 'cpu.stat'), 'usage_usec 2500000\nuser_usec 1\n');
  const root = scratch.path;
  const processors = new CgroupProcessors({
    layout: 'v2',
    controllers: { cpu: root, cpuset: root },
    unified: root,
  });
  assert.equal(processors.used('all/one'), 2.5);
  assert.equal(processors.used('all/none'), 0);
  assert.deepEqual(processors.of('all/one'), [0, 1]);
  processors.keep('all/one', [1]);
  assert.equal(readFileSync(join(group, 'cpuset.cpus'), 'utf8'), '1\n');
  processors.keep('all/one', undefined);
  const possible = readFileSync('/sys/devices/system/cpu/possible', 'utf8');
  assert.equal(readFileSync(join(group, 'cpuset.cpus'), 'utf8'), possible);
});

test('on cgroup v1 it gets the list of its parent back, and its time is in a hierarchy of its own', () => {
  using scratch = scratchDirectory('processors');
  const [cpuset, cpuacct] = [join(scratch.path, 'cpuset'), join(scratch.path, 'cpuacct')];
  for (const path of [cpuset, cpuacct]) mkdirSync(join(path, 'all/one'), { recursive: true });
  writeFileSync(join(cpuset, 'all/cpuset.cpus'), '0-2,4\n');
  writeFileSync(join(cpuacct, 'all/one/cpuacct.usage'), '1500000000\n');
  const processors = new CgroupProcessors({
    layout: 'hybrid',
    controllers: { cpuset, cpuacct },
    unified: join(scratch.path, 'unified'),
  });
  assert.equal(processors.used('all/one'), 1.5);
  processors.keep('all/one', [4]);
  assert.deepEqual(processors.of('all/one'), [4]);
  processors.keep('all/one', undefined);
  assert.deepEqual(processors.of('all/one'), [0, 1, 2, 4]);
});
