import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_RATES } from '../../contract/rates.ts';
import { MIB } from '../../contract/sizes.ts';
import { checkEntryPath } from '../archive/entry.ts';
import type { Machine } from '../driver.ts';
import { renderCommandLine } from './command-line.ts';
import { jailMemory, jailProcesses, renderJail } from './jail.ts';
import { LINE_COUNT, PIPE_LINES } from './lines.ts';
import { machinePaths } from './paths.ts';
import { bootFiles, machineFiles } from './provision.ts';

const machine: Machine = {
  id: 'a1',
  name: 'web',
  project: 'default',
  technique: 'kernel',
  limits: { cpus: 0.5, memory: 256 * MIB, disk: 1024 * MIB, pids: 100, ...NO_RATES },
  ids: { base: 0x7000_0000, count: 65_536 },
  volume: '/pool/a1',
  image: { id: 'i' },
  runDirectory: '/run/a1',
  logDirectory: '/log/a1',
  cgroup: 'm/a1',
  nics: [
    {
      hostLink: 'mv1',
      guestLink: 'eth0',
      mac: '52:54:00:01:02:03',
      addresses: [],
      nameservers: [],
      domain: '',
    },
  ],
  machineId: '0'.repeat(32),
  env: {},
  sshKeys: [],
};
const paths = machinePaths(machine);
const lines = new Map(PIPE_LINES.map((line) => [line, { input: 1 + line * 2, output: 2 + line * 2 }]));
const disk = { size: machine.limits.disk };
const argv = renderCommandLine(machine, paths.sockets, { lines, taps: [99] }, disk);

test('the program gets its memory, disk, lines and the descriptor of its tap', () => {
  for (const argument of [
    'mem=256M',
    'ubd0=/volume/disk.raw',
    'root=/dev/ubda1',
    'blkdevparts=ubda:0x0000000040000000@0(root)',
    'initrd=/volume/initramfs',
    'ssl0=fd:0,fd:1',
    'ssl1=fd:3,fd:4',
    'vec0:transport=fd,fd=99,vec=0,mac=52:54:00:01:02:03',
    'hostfs=/modules',
  ]) {
    assert.ok(argv.includes(argument), argument);
  }
  assert.equal(argv.filter((argument) => /^ssl\d+=/.test(argument)).length, LINE_COUNT);
});

test('its kernel takes no longer command line than Linux does', () => {
  assert.ok(argv.join(' ').length < 4096);
});

test('the jail has no capability, its own namespaces and an unprivileged id, and denies what is not needed', () => {
  const config = renderJail(machine, paths, argv, 1);
  assert.deepEqual(Object.values(config.process.capabilities).flat(), []);
  assert.ok(config.process.noNewPrivileges && config.root.readonly);
  assert.deepEqual(config.linux.uidMappings, [{ containerID: 0, hostID: 0x7000_0000, size: 65_536 }]);
  assert.deepEqual(config.linux.namespaces.map(({ type }) => type).sort(), [
    'cgroup',
    'ipc',
    'mount',
    'network',
    'pid',
    'user',
    'uts',
  ]);
  const allowed = (config.linux.seccomp?.syscalls ?? [])
    .filter(({ action, args }) => action === 'SCMP_ACT_ALLOW' && args === undefined)
    .flatMap(({ names }) => names);
  assert.ok(allowed.includes('ptrace'));
  for (const name of ['mount', 'bpf', 'clone', 'socket', 'ioctl']) assert.ok(!allowed.includes(name), name);
  assert.equal(config.linux.seccomp?.defaultAction, 'SCMP_ACT_ERRNO');
  assert.deepEqual(config.linux.resources.cpu, { quota: 50_000, period: 100_000 });
});

test('the host allows more memory and processes than the guest has, so that the guest meets its own limit first', () => {
  assert.ok(jailMemory(machine.limits) > machine.limits.memory);
  assert.ok(jailProcesses(machine.limits) > 100 + 64);
});

test('what the machine tells its guest is gone with it, and nothing of it stays on the disk', () => {
  for (const { path } of machineFiles(machine)) {
    checkEntryPath(path);
    assert.match(path, /^run\//);
  }
  for (const { path } of bootFiles()) checkEntryPath(path);
});
