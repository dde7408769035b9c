import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../contract/vps.ts';
import type { Machine } from '../driver.ts';
import { renderProcess } from './exec.ts';
import { findInit, shutdownSignal } from './init.ts';
import { renderConfig } from './render.ts';
import { ROOT } from './users.ts';

const machine: Machine = {
  id: 'a1',
  name: 'web',
  project: 'default',
  technique: 'os',
  limits: DEFAULT_LIMITS,
  ids: { base: 0x7000_0000, count: 65_536 },
  volume: '/pool/a1',
  image: { id: 'i', rootfs: '/images/i' },
  runDirectory: '/run/a1',
  logDirectory: '/log/a1',
  cgroup: 'mullion-1234/a1',
  nics: [],
  machineId: '0123456789abcdef0123456789abcdef',
  env: { GREETING: 'hello', container: 'forged', PATH: '/opt/bin' },
  sshKeys: [],
};
const most = { openFiles: 4096, coreSize: 1 };
const facts = {
  root: '/run/a1/rootfs',
  init: '/sbin/init',
  namespaces: { user: '/proc/1/fd/5', network: '/proc/1/fd/6' },
  architecture: 'x64',
  most,
} as const;
const config = renderConfig(machine, facts);

test('a VPS has every namespace of its own and no id of the host', () => {
  const types = config.linux.namespaces.map(({ type }) => type).toSorted();
  assert.deepEqual(types, ['cgroup', 'ipc', 'mount', 'network', 'pid', 'user', 'uts']);
  const given = config.linux.namespaces.filter(({ path }) => path !== undefined);
  assert.deepEqual(given, [
    { type: 'user', path: '/proc/1/fd/5' },
    { type: 'network', path: '/proc/1/fd/6' },
  ]);
  for (const mapping of [config.linux.uidMappings, config.linux.gidMappings]) {
    assert.deepEqual(mapping, [{ containerID: 0, hostID: 0x7000_0000, size: 65_536 }]);
  }
  assert.equal(config.linux.cgroupsPath, '/mullion-1234/a1');
});

test('capabilities over the host are in no set', () => {
  const held = new Set(Object.values(config.process.capabilities).flat());
  for (const name of ['MODULE', 'RAWIO', 'TIME', 'PACCT', 'RESOURCE'])
    assert.ok(!held.has(`CAP_SYS_${name}`), name);
  for (const name of ['BPF', 'PERFMON', 'SYSLOG', 'MAC_ADMIN', 'AUDIT_CONTROL', 'WAKE_ALARM', 'MKNOD']) {
    assert.ok(!held.has(`CAP_${name}`), name);
  }
  assert.deepEqual(config.process.capabilities.inheritable, []);
  assert.deepEqual(config.process.capabilities.ambient, []);
});

test('the environment is the VPS’s own, save what tells systemd where it is', () => {
  const { env } = config.process;
  assert.ok(env.includes('GREETING=hello'));
  assert.ok(env.includes('PATH=/opt/bin'));
  assert.ok(env.includes('container=mullion'));
  assert.ok(env.includes('container_uuid=01234567-89ab-cdef-0123-456789abcdef'));
  assert.equal(new Set(env.map((entry) => entry.split('=')[0])).size, env.length);
});

test('no device but the harmless ones may be used, and none is made', () => {
  const rules = config.linux.resources.devices ?? [];
  assert.deepEqual(rules[0], { allow: false, access: 'rwm' });
  const allowed = rules.slice(1);
  assert.ok(allowed.every((rule) => rule.allow && rule.type === 'c' && rule.major !== undefined));
  assert.deepEqual([...new Set(allowed.map(({ major }) => major))], [1, 5, 136]);
  assert.ok(!allowed.some(({ major, minor }) => major === 1 && (minor === 1 || minor === 2 || minor === 4)));
});

test('files in memory leave room for programs', () => {
  const sizes = config.mounts
    .filter(({ destination }) => destination === '/dev/shm' || destination === '/run')
    .map(({ options }) => Number(options.find((option) => option.startsWith('size='))?.slice(5)));
  assert.equal(sizes.length, 2);
  assert.ok((sizes[0] ?? 0) + (sizes[1] ?? 0) < machine.limits.memory * 0.75);
});

test('only calls that are written down exist, and none of those that reach round the namespaces', () => {
  const { seccomp } = config.linux;
  assert.equal(seccomp?.defaultAction, 'SCMP_ACT_ERRNO');
  assert.equal(seccomp.defaultErrnoRet, 38);
  assert.deepEqual(seccomp.architectures, ['SCMP_ARCH_X86_64']);
  const named = (action: string): string[] =>
    seccomp.syscalls.filter((rule) => rule.action === action && !rule.args).flatMap(({ names }) => names);
  const allowed = named('SCMP_ACT_ALLOW');
  const refused = named('SCMP_ACT_ERRNO');
  for (const call of [
    ...['kexec_load', 'init_module', 'bpf', 'perf_event_open', 'userfaultfd', 'open_by_handle_at', 'swapon'],
  ]) {
    assert.ok(refused.includes(call), call);
  }
  for (const call of [
    ...[
      'keyctl',
      'add_key',
      'request_key',
      'io_uring_setup',
      'io_uring_enter',
      'fsopen',
      'fsconfig',
      'modify_ldt',
    ],
    ...['uselib', 'socketcall', 'socket'],
  ]) {
    assert.ok(!allowed.includes(call), call);
  }
  for (const call of [
    'mount',
    'clone3',
    'unshare',
    'ptrace',
    'name_to_handle_at',
    'setns',
    'reboot',
    'rseq',
  ]) {
    assert.ok(allowed.includes(call), call);
  }
  const all = [...allowed, ...refused];
  assert.equal(new Set(all).size, all.length, 'a call stands in one list only');
});

test('every family of sockets is judged once', () => {
  const rules = config.linux.seccomp?.syscalls.filter(({ names }) => names.includes('socket')) ?? [];
  const judged = rules.flatMap(({ args }) => args ?? []).filter(({ op }) => op === 'SCMP_CMP_EQ');
  assert.deepEqual(
    judged.map(({ value }) => value).toSorted((one, other) => one - other),
    Array.from({ length: 46 }, (_, family) => family),
  );
  const open = rules.filter(({ action }) => action === 'SCMP_ACT_ALLOW').flatMap(({ args }) => args ?? []);
  assert.deepEqual(
    open.map(({ value }) => value),
    [0, 1, 2, 10, 16, 17],
  );
});

test('a limit above the daemon’s own is not asked for', () => {
  assert.deepEqual(config.process.rlimits?.[0], { type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 });
  const less = renderConfig(machine, { ...facts, most: { ...most, coreSize: 0 } });
  assert.deepEqual(less.process.rlimits?.[1], { type: 'RLIMIT_CORE', soft: 0, hard: 0 });
});

test('a crash runs no program of the host, and nobody inside can change that', () => {
  const core = { type: 'RLIMIT_CORE', soft: 1, hard: 1 };
  assert.deepEqual(config.process.rlimits?.[1], core);
  const command = renderProcess(machine, { argv: ['id'], env: {}, tty: false }, ROOT, most);
  assert.deepEqual(command.rlimits?.[1], core);
  const rules = config.linux.seccomp?.syscalls ?? [];
  for (const [call, index] of [
    ['setrlimit', 0],
    ['prlimit64', 1],
  ] as const) {
    const allowed = rules.filter(({ names, action }) => names.includes(call) && action === 'SCMP_ACT_ALLOW');
    assert.ok(allowed.every(({ args }) => args !== undefined));
    const limits = allowed.flatMap(({ args = [] }) => args.filter((each) => each.index === index));
    const changing = limits.filter((_, nth) => allowed[nth]?.args?.length === 1);
    assert.deepEqual(
      changing.map(({ valueTwo }) => valueTwo).toSorted((one = 0, other = 0) => one - other),
      [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    );
  }
});

test('a command of an ordinary user holds no capability', () => {
  const request = { argv: ['id'], env: { A: '1' }, tty: true };
  const user = { name: 'web', uid: 33, gid: 34, groups: [4], home: '/srv' };
  const process = renderProcess(machine, request, user, most);
  assert.deepEqual(process.capabilities.effective, []);
  assert.deepEqual(process.user, { uid: 33, gid: 34, additionalGids: [4] });
  assert.equal(process.cwd, '/srv');
  assert.ok(process.env.includes('A=1') && process.env.includes('HOME=/srv'));
  assert.ok(renderProcess(machine, request, ROOT, most).capabilities.effective.includes('CAP_SYS_ADMIN'));
});

test('each kind of first program gets the signal that it halts at', () => {
  assert.equal(shutdownSignal('systemd'), 37);
  assert.equal(shutdownSignal('busybox'), 'SIGUSR2');
  assert.equal(shutdownSignal('init'), 'SIGPWR');
  assert.equal(shutdownSignal(undefined), 'SIGTERM');
  assert.equal(findInit(['/nonexistent']), undefined);
});
