import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Cgroups } from './cgroups.ts';

const MIB = 1024 ** 2;

/** Plain files laid out like cgroup hierarchies: what is written where, without a kernel that acts on it. */
function inFolder(body: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'mullion-cgroups-'));
  try {
    body(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('on v2 the limits go to the cgroup2 files, with swap off and controllers enabled in the parents', () => {
  inFolder((root) => {
    writeFileSync(join(root, 'cgroup.controllers'), 'cpu io memory pids hugetlb\n');
    writeFileSync(join(root, 'cgroup.subtree_control'), 'cpu io memory\n');
    const controllers = { cpu: root, io: root, memory: root, pids: root };
    const cgroups = new Cgroups({ layout: 'v2', controllers, unified: root });
    cgroups.ensure('mullion/vps');
    assert.equal(readFileSync(join(root, 'cgroup.subtree_control'), 'utf8'), '+pids');
    const file = (name: string): string => join(root, 'mullion/vps', name);
    writeFileSync(file('memory.swap.max'), 'max');
    cgroups.setLimits('mullion/vps', { cpus: 1.5, memory: 64 * MIB, pids: 100 });
    assert.equal(readFileSync(file('cpu.max'), 'utf8'), '150000 100000');
    assert.equal(readFileSync(file('memory.max'), 'utf8'), String(64 * MIB));
    assert.equal(readFileSync(file('memory.swap.max'), 'utf8'), '0');
    assert.equal(readFileSync(file('pids.max'), 'utf8'), '100');
  });
});

test('on v2 the usage comes from the cgroup2 files, without the inactive page cache', () => {
  inFolder((root) => {
    mkdirSync(join(root, 'g'));
    writeFileSync(join(root, 'g/cpu.stat'), 'usage_usec 2500000\nuser_usec 1\n');
    writeFileSync(join(root, 'g/memory.current'), '1000\n');
    writeFileSync(join(root, 'g/memory.stat'), 'anon 500\ninactive_file 300\n');
    writeFileSync(join(root, 'g/pids.current'), '7\n');
    const controllers = { cpu: root, memory: root, pids: root };
    const cgroups = new Cgroups({ layout: 'v2', controllers, unified: root });
    assert.deepEqual(cgroups.usage('g'), { cpuSeconds: 2.5, memory: 700, processes: 7 });
    assert.deepEqual(cgroups.usage('absent'), { cpuSeconds: 0, memory: 0, processes: 0 });
  });
});

test('on v1 the limit without swap and the one with swap are both set, up and down', () => {
  inFolder((root) => {
    mkdirSync(join(root, 'g'));
    const controllers = { memory: root };
    const cgroups = new Cgroups({ layout: 'v1', controllers, unified: undefined });
    for (const bytes of [64 * MIB, 128 * MIB]) {
      for (const name of ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes']) {
        writeFileSync(join(root, 'g', name), String(96 * MIB));
      }
      cgroups.setLimits('g', { memory: bytes });
      assert.equal(readFileSync(join(root, 'g/memory.limit_in_bytes'), 'utf8'), String(bytes));
      assert.equal(readFileSync(join(root, 'g/memory.memsw.limit_in_bytes'), 'utf8'), String(bytes));
    }
  });
});

test('a fraction of a processor below what the kernel takes becomes the smallest it takes', () => {
  inFolder((root) => {
    mkdirSync(join(root, 'g'));
    const cgroups = new Cgroups({ layout: 'v2', controllers: { cpu: root }, unified: root });
    cgroups.setLimits('g', { cpus: 2, extraCpus: 0.25 });
    assert.equal(readFileSync(join(root, 'g/cpu.max'), 'utf8'), '225000 100000');
    assert.equal(readFileSync(join(root, 'g/cpu.weight'), 'utf8'), '200');
    cgroups.setLimits('g', { cpus: 0.001 });
    assert.equal(readFileSync(join(root, 'g/cpu.max'), 'utf8'), '1000 100000');
    assert.equal(readFileSync(join(root, 'g/cpu.weight'), 'utf8'), '1');
  });
});

test('the weight is in proportion to the processors, within what the kernel takes, up and down', () => {
  inFolder((root) => {
    mkdirSync(join(root, 'g'));
    const controllers = { cpu: root };
    const v1 = new Cgroups({ layout: 'v1', controllers, unified: undefined });
    const v2 = new Cgroups({ layout: 'v2', controllers, unified: root });
    for (const [cpus, shares, weight] of [
      [2, '2048', '200'],
      [0.5, '512', '50'],
      [1, '1024', '100'],
      [0.001, '2', '1'],
      [512, '262144', '10000'],
    ] as const) {
      v1.setLimits('g', { cpus });
      v2.setLimits('g', { cpus });
      assert.equal(readFileSync(join(root, 'g/cpu.shares'), 'utf8'), shares);
      assert.equal(readFileSync(join(root, 'g/cpu.weight'), 'utf8'), weight);
    }
  });
});

test('a controller that is not there is named with its remedy', () => {
  inFolder((root) => {
    const cgroups = new Cgroups({ layout: 'v2', controllers: {}, unified: root });
    assert.throws(() => cgroups.setLimits('g', { memory: MIB }), {
      code: 'host_unfit',
      remedy: /cgroup_enable=memory/,
    });
  });
});
