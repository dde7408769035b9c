import assert from 'node:assert/strict';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../../src/drivers/driver.ts';

/** Fails unless a process of a machine has ids of the machine's own, no right beyond them, and a world of its own. */
export function assertKeptApart(machine: Machine, pid: number): void {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  assert.match(status, new RegExp(`^Uid:\\t${machine.ids.base}\\t${machine.ids.base}\\t`, 'm'));
  assert.match(status, new RegExp(`^Gid:\\t${machine.ids.base}\\t`, 'm'));
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    assert.match(status, new RegExp(`^${set}:\\t0+$`, 'm'));
  }
  assert.match(status, /^NoNewPrivs:\t1$/m);
  assert.match(status, /^Seccomp:\t2$/m);
  for (const kind of ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup']) {
    assert.notEqual(readlinkSync(`/proc/${pid}/ns/${kind}`), readlinkSync(`/proc/self/ns/${kind}`), kind);
  }
}

/** Fails unless the process has no link but the loopback, and the machine's disk is root's alone. */
export function assertReachesItsOwn(machine: Machine, pid: number): void {
  const links = readFileSync(`/proc/${pid}/net/dev`, 'utf8').trim().split('\n').slice(2);
  assert.deepEqual(
    links.map((line) => line.trim().split(':')[0]),
    ['lo'],
  );
  const disk = statSync(join(machine.volume, 'disk.raw'));
  assert.deepEqual([disk.mode & 0o777, disk.uid, disk.gid], [0o600, 0, 0]);
}
