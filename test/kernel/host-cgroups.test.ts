import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hierarchyRoots } from '../../src/host/cgroup-layout.ts';
import { Cgroups, detectCgroups } from '../../src/host/cgroups.ts';
import { eventually } from '../support/scratch.ts';

const cgroups = new Cgroups(detectCgroups());
const roots = hierarchyRoots(cgroups.layout);
const parent = `mullion-test-${process.pid}`;
const group = `${parent}/vps`;

/** A shell that moves itself into `path` everywhere and then runs `script`. */
async function enter(path: string, script: string): Promise<ReturnType<typeof spawn>> {
  const moves = roots.map((root) => `echo $$ > ${join(root, path, 'cgroup.procs')}`).join('; ');
  const child = spawn('sh', ['-c', `${moves}; echo in; ${script}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

async function withGroup(body: () => Promise<void>): Promise<void> {
  cgroups.ensure(group);
  try {
    await body();
  } finally {
    await cgroups.killAll(parent);
    await cgroups.remove(parent);
  }
}

test('a group is made in every hierarchy, listed, and removed with what is below it, twice', async () => {
  cgroups.ensure(group);
  cgroups.ensure(group);
  cgroups.ensure(`${group}/inner/deeper`);
  assert.deepEqual(cgroups.list(parent), ['vps']);
  for (const root of roots) assert.ok(statSync(join(root, group)).isDirectory());
  await cgroups.remove(parent);
  await cgroups.remove(parent);
  for (const root of roots) assert.throws(() => statSync(join(root, parent)), { code: 'ENOENT' });
  assert.deepEqual(cgroups.list(parent), []);
});

test('a fork bomb is killed with all its children', async () => {
  await withGroup(async () => {
    cgroups.setLimits(group, { pids: 200 });
    // A shell would end where it cannot fork.
    await enter(group, "exec perl -e 'while (1) { fork; select undef, undef, undef, 0.01 }'");
    await eventually('it has multiplied', () => cgroups.processes(group).length > 50);
    await cgroups.killAll(group);
    assert.deepEqual(cgroups.processes(group), []);
    assert.equal(cgroups.usage(group).processes <= 200, true);
    await enter(group, 'true');
  });
});

test('frozen processes stand still, go on when thawed, and can be killed while frozen', async () => {
  await withGroup(async () => {
    await enter(group, 'while :; do :; done');
    await cgroups.freeze(group);
    const { cpuSeconds } = cgroups.usage(group);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(cgroups.usage(group).cpuSeconds, cpuSeconds);
    await cgroups.thaw(group);
    await eventually('it runs again', () => cgroups.usage(group).cpuSeconds > cpuSeconds);
    await cgroups.freeze(group);
    await cgroups.killAll(group);
    assert.deepEqual(cgroups.processes(group), []);
  });
});

test('limits hold: no more processes, no more memory, and they change up and down', async () => {
  await withGroup(async () => {
    cgroups.setLimits(group, { cpus: 0.5, memory: 64 * 1024 ** 2, pids: 20 });
    cgroups.setLimits(group, { memory: 128 * 1024 ** 2 });
    cgroups.setLimits(group, { memory: 32 * 1024 ** 2 });
    const eater = await enter(group, 'x=$(head -c 100000000 /dev/zero | tr "\\0" a); echo survived');
    const [, signal] = await once(eater, 'exit');
    assert.equal(signal, 'SIGKILL', 'the kernel killed what took more memory than allowed');
    cgroups.setLimits(group, { memory: 256 * 1024 ** 2 });
    const forker = await enter(group, 'for i in $(seq 50); do sleep 60 & done; wait');
    await once(forker, 'exit').catch(() => undefined);
    assert.ok(cgroups.processes(group).length <= 20);
  });
});

test('who has more processors gets more of one that both want', async () => {
  await withGroup(async () => {
    const other = `${parent}/other`;
    cgroups.ensure(other);
    cgroups.setLimits(group, { cpus: 0.5 });
    cgroups.setLimits(other, { cpus: 0.5 });
    const busy = 'exec taskset -c 0 sh -c "while :; do :; done"';
    await enter(group, busy);
    await enter(other, busy);
    // While they run: the larger now has four times the weight, and neither comes up to its limit.
    cgroups.setLimits(other, { cpus: 2 });
    const [before, otherBefore] = [cgroups.usage(group).cpuSeconds, cgroups.usage(other).cpuSeconds];
    const used = (): number => cgroups.usage(other).cpuSeconds - otherBefore;
    await eventually('the larger has used a second', () => used() > 1, 60_000);
    const share = used() / (cgroups.usage(group).cpuSeconds - before);
    assert.ok(share > 2.5, `${share.toFixed(1)} times as much`);
  });
});

test('usage counts processor time, memory and processes', async () => {
  await withGroup(async () => {
    await enter(group, 'x=$(head -c 20000000 /dev/zero | tr "\\0" a); while :; do :; done');
    await eventually('it has used both', () => {
      const { cpuSeconds, memory, processes } = cgroups.usage(group);
      return cpuSeconds > 0.2 && memory > 20_000_000 && processes >= 1;
    });
  });
});

test('a delegated group belongs to the uid, and its limits do not', async () => {
  await withGroup(async () => {
    cgroups.chownDelegated(group, 0x7000_0000);
    const named = cgroups.layout.controllers['name=systemd'] ?? cgroups.layout.unified ?? '';
    assert.equal(statSync(join(named, group)).uid, 0x7000_0000);
    assert.equal(statSync(join(named, group, 'cgroup.procs')).uid, 0x7000_0000);
    const memory = cgroups.layout.controllers.memory ?? '';
    const limit = memory === cgroups.layout.unified ? 'memory.max' : 'memory.limit_in_bytes';
    assert.equal(statSync(join(memory, group, limit)).uid, 0);
  });
});

test('a path that would leave the hierarchy is refused', async () => {
  for (const path of ['..', '../x', 'a/../..', '/a', 'a//b', '', '.']) {
    assert.throws(() => cgroups.ensure(path), TypeError);
    assert.throws(() => cgroups.list(path), TypeError);
    await assert.rejects(cgroups.remove(path), TypeError);
    await assert.rejects(cgroups.killAll(path), TypeError);
  }
});

test('the cgroup2 tree alone gives what needs no controller: groups, freezing, killing, time', async (t) => {
  const { unified } = cgroups.layout;
  if (unified === undefined) return t.skip('no cgroup2 tree is mounted');
  const alone = new Cgroups({ layout: 'v2', controllers: {}, unified });
  const own = `${parent}-v2`;
  alone.ensure(`${own}/vps/inner`);
  try {
    const script = `echo $$ > ${join(unified, own, 'vps/inner/cgroup.procs')}; echo in; while :; do :; done`;
    const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    await eventually('time is counted', () => alone.usage(own).cpuSeconds > 0.05);
    await alone.freeze(own);
    const { cpuSeconds } = alone.usage(own);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(alone.usage(own).cpuSeconds, cpuSeconds);
    await alone.thaw(own);
    await alone.freeze(own);
    assert.deepEqual(alone.processes(own), [child.pid]);
    await alone.killAll(own);
    assert.deepEqual(alone.processes(own), []);
    assert.throws(() => alone.setLimits(own, { pids: 10 }), { code: 'host_unfit' });
  } finally {
    await alone.killAll(own);
    await alone.remove(own);
  }
  assert.deepEqual(alone.list(own), []);
});

test('a process outside the group survives killAll', async () => {
  await withGroup(async () => {
    cgroups.ensure(`${parent}/other`);
    const other = await enter(`${parent}/other`, 'sleep 60');
    await enter(group, 'sleep 60');
    await cgroups.killAll(group);
    assert.equal(cgroups.processes(`${parent}/other`).length > 0, true);
    assert.equal(other.exitCode ?? other.signalCode, null);
  });
});
