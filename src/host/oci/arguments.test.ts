import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrefix, execArgv, hiddenFromCreate, inTerminalSession, monitorArgv } from './arguments.ts';
import { parseSync } from './monitor.ts';

const v1 = { memory: '/sys/fs/cgroup/memory', 'name=systemd': '/sys/fs/cgroup/systemd' };
const crun = { program: 'crun', stateDirectory: '/run/oci' };
const unified = '/sys/fs/cgroup/unified';

test('the cgroup2 tree is hidden only where crun would refuse it', () => {
  const mixed = { layout: 'hybrid', controllers: { ...v1, hugetlb: unified }, unified } as const;
  assert.equal(hiddenFromCreate(mixed), '/sys/fs/cgroup/unified/cgroup.controllers');
  assert.equal(hiddenFromCreate({ layout: 'hybrid', controllers: v1, unified }), undefined);
  assert.equal(hiddenFromCreate({ layout: 'v1', controllers: v1, unified: undefined }), undefined);
  const v2 = { layout: 'v2', controllers: { memory: '/sys/fs/cgroup' }, unified: '/sys/fs/cgroup' } as const;
  assert.equal(hiddenFromCreate(v2), undefined);
});

test('what stands before create is no more than is needed', () => {
  assert.deepEqual(createPrefix(undefined, undefined), []);
  const [clocks, mounts] = ['/proc/1/fd/8', '/proc/1/fd/9'];
  assert.deepEqual(createPrefix(clocks, undefined), ['nsenter', '--no-fork', `--time=${clocks}`]);
  assert.deepEqual(createPrefix(undefined, mounts), ['nsenter', '--no-fork', `--mount=${mounts}`]);
  assert.equal(createPrefix(clocks, mounts).filter((word) => word === 'nsenter').length, 1);
});

test('the monitor itself stays outside the private mount namespace', () => {
  const container = {
    id: 'os-a1',
    bundle: '/run/a1',
    pidFile: '/run/a1/pid',
    monitor: { name: 'web', log: '/log', exitDirectory: '/run/a1/codes', pidFile: '/run/a1/monitor' },
  };
  const argv = monitorArgv(crun, ['unshare', '--mount'], container);
  assert.equal(argv[0], 'conmon');
  const passed = argv.flatMap((word, index) => (argv[index - 1] === '--runtime-arg' ? [word] : []));
  assert.deepEqual(passed, ['--mount', 'crun', '--root', '/run/oci']);
  assert.match(argv[argv.indexOf('--runtime') + 1] ?? '', /unshare$/);
});

test('a command is handed over as a file, never as words', () => {
  const argv = execArgv(crun, 'os-a1', {
    ...{ process: '/p.json', pidFile: '/p.pid', log: '/p.log' },
    containerPid: 12,
  });
  assert.ok(argv.includes('--time=/proc/12/ns/time'));
  const called = argv.slice(argv.indexOf('crun'));
  assert.deepEqual(called.slice(0, 6), ['crun', '--root', '/run/oci', '--log', '/p.log', 'exec']);
  assert.equal(argv.at(-1), 'os-a1');
  assert.deepEqual(inTerminalSession(['x']), ['setsid', '--ctty', 'x']);
});

test('what conmon tells is read in the form of every version', () => {
  assert.deepEqual(parseSync('{"data": 12}'), { pid: 12, message: '' });
  assert.deepEqual(parseSync('{"pid": 12}'), { pid: 12, message: '' });
  assert.deepEqual(parseSync('{"data": -1, "message": "no"}'), { pid: -1, message: 'no' });
  assert.deepEqual(parseSync('{"pid": -1, "message": "no"}'), { pid: -1, message: 'no' });
  for (const line of ['', 'crash', '[]', '{}', 'null', '{"pid":"7"}']) assert.equal(parseSync(line).pid, -1);
});
