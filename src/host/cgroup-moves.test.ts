import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { detectCgroups } from './cgroup-layout.ts';
import { ownProcesses } from './cgroup-moves.ts';

const V2 = { layout: 'v2', controllers: {}, unified: '/sys/fs/cgroup' } as const;
const V1 = {
  layout: 'v1',
  controllers: { memory: '/sys/fs/cgroup/memory', 'name=systemd': '/sys/fs/cgroup/systemd' },
  unified: undefined,
} as const;

test('a process is found in the tree of version 2, or in one of version 1 that is mounted', () => {
  assert.equal(
    ownProcesses(V2, '0::/system.slice/mullion.service\n'),
    '/sys/fs/cgroup/system.slice/mullion.service/cgroup.procs',
  );
  assert.equal(ownProcesses(V2, '0::/\n'), '/sys/fs/cgroup/cgroup.procs');
  const own = '9:net_cls,net_prio:/a\n4:memory:/with: colon\n1:name=systemd:/b\n0::/c\n';
  assert.equal(ownProcesses(V1, own), '/sys/fs/cgroup/memory/with: colon/cgroup.procs');
});

test('one that is above what is mounted is nowhere', () => {
  assert.equal(ownProcesses(V2, '0::/../other\n'), undefined);
  assert.equal(ownProcesses(V1, '0::/c\n'), undefined);
});

test('this process is where it is said to be', () => {
  const file = ownProcesses(detectCgroups(), readFileSync('/proc/self/cgroup', 'utf8'));
  assert.ok(
    file === undefined || !existsSync(file) || readFileSync(file, 'utf8').includes(`${process.pid}\n`),
  );
});
