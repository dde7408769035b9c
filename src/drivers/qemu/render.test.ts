import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { NO_RATES } from '../../contract/rates.ts';
import { MIB } from '../../contract/size-text.ts';
import type { Machine } from '../driver.ts';
import { threadsMax } from '../guest-agent/guest-limits.ts';
import { renderProvision, writeInitramfs } from '../guest-disk/initramfs.ts';
import { kernelParameters, renderCommandLine } from './command-line.ts';
import { jailMemory, renderJail } from './jail.ts';
import { machinePaths } from './paths.ts';

const machine: Machine = {
  id: 'a1',
  name: 'web',
  project: 'default',
  technique: 'full',
  limits: { cpus: 1.5, memory: 512 * MIB, disk: 2048 * MIB, pids: 200, ...NO_RATES },
  ids: { base: 0x7000_0000, count: 65_536 },
  volume: '/pool/volumes/a1',
  image: {
    id: 'i',
    disk: '/pool/images/i/disk.raw',
    kernel: { vmlinuz: '/pool/images/i/vmlinuz', initramfs: '/x' },
  },
  runDirectory: '/run/m/vps/a1',
  logDirectory: '/log/a1',
  cgroup: 'mullion-x/a1',
  nics: [
    {
      hostLink: 'mvx-1',
      guestLink: 'eth0',
      mac: '52:54:00:00:00:01',
      addresses: [],
      nameservers: [],
      domain: 'd',
    },
  ],
  machineId: '0'.repeat(32),
  env: {},
  sshKeys: [],
};
const FILES = [
  { source: '/pool/volumes/a1/disk.raw', target: '/volume/disk.raw', access: 'rw' },
  { source: '/pool/volumes/a1/initramfs', target: '/volume/initramfs', access: 'ro' },
] as const;
const after = (argv: readonly string[], flag: string): string[] =>
  argv.filter((_, index) => argv[index - 1] === flag);

const OPTIONS = { tapFds: [3], maximumCpus: 4, counterKhz: 2_096_010 };

test('QEMU is started stopped, in its sandbox, with nothing that was not asked for', () => {
  const argv = renderCommandLine(machine, OPTIONS);
  for (const flag of ['-S', '-nodefaults', '-no-user-config']) assert.ok(argv.includes(flag), flag);
  assert.deepEqual(after(argv, '-sandbox'), [
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
  ]);
  assert.deepEqual(after(argv, '-smp'), ['cpus=2,maxcpus=4']);
  assert.deepEqual(after(argv, '-m'), ['size=512M']);
  assert.deepEqual(after(argv, '-netdev'), ['tap,id=net0,fd=3']);
});

test('the guest is told to trust its counter only where the host can trust its own', () => {
  assert.match(kernelParameters(machine, 2_096_010), /tsc=reliable tsc_early_khz=2096010/);
  assert.doesNotMatch(kernelParameters(machine, undefined), /tsc/);
});

test('the technique chooses the accelerator and what the kernel is told of it, and nothing else', () => {
  const full = renderCommandLine(machine, OPTIONS);
  const hardware = renderCommandLine({ ...machine, technique: 'hardware' }, OPTIONS);
  const different = full.filter((word, index) => word !== hardware[index]);
  assert.equal(full.length, hardware.length);
  assert.deepEqual(different, [
    ...[...after(full, '-accel'), ...after(full, '-cpu')],
    `${after(hardware, '-append')[0]} tsc=reliable tsc_early_khz=2096010 mitigations=off`,
  ]);
  assert.deepEqual([after(hardware, '-accel'), after(hardware, '-cpu')], [['kvm'], ['host']]);
});

test('no path of the host stands on the command line, only those of the jail', () => {
  const argv = renderCommandLine(machine, OPTIONS).join(' ');
  for (const path of [machine.volume, machine.runDirectory, machine.logDirectory, '/pool']) {
    assert.ok(!argv.includes(path), path);
  }
});

test("the limit on processes leaves room for the kernel's own threads", () => {
  assert.ok(threadsMax(200, 1) > 200 + 60);
  assert.match(
    kernelParameters(machine, 2_096_010),
    new RegExp(`sysctl\\.kernel\\.threads-max=${threadsMax(200, 1.5)}\\b`),
  );
});

test('the jail has every namespace, no capability, no new privileges and its own ids', () => {
  const jail = JSON.parse(
    JSON.stringify(renderJail(machine, machinePaths(machine), ['/usr/bin/qemu'], FILES, 1)),
  );
  const kinds = jail.linux.namespaces.map(({ type }: { type: string }) => type).sort();
  assert.deepEqual(kinds, ['cgroup', 'ipc', 'mount', 'network', 'pid', 'user', 'uts']);
  assert.deepEqual(Object.values(jail.process.capabilities).flat(), []);
  assert.equal(jail.process.noNewPrivileges, true);
  assert.deepEqual(jail.linux.uidMappings, [{ containerID: 0, hostID: 0x7000_0000, size: 65_536 }]);
  assert.equal(jail.linux.resources.memory.limit, jailMemory(machine.limits));
  assert.deepEqual(jail.linux.resources.cpu, { quota: 150_000, period: 100_000 });
  // Two processors of its own use two, and QEMU a little beside them; 1.5 are two that must not use more than 1.5.
  const whole = renderJail(
    { ...machine, limits: { ...machine.limits, cpus: 2 } },
    machinePaths(machine),
    ['/usr/bin/qemu'],
    FILES,
    1,
  );
  assert.deepEqual(whole.linux.resources.cpu, { quota: 225_000, period: 100_000 });
  assert.equal(jail.root.readonly, true);
  assert.deepEqual(jail.linux.devices, []);
});

test('the jail may write to its disk, its sockets and its log alone', () => {
  const jail = JSON.parse(
    JSON.stringify(renderJail(machine, machinePaths(machine), ['/usr/bin/qemu'], FILES, 1)),
  );
  const writable = jail.mounts
    .filter(
      ({ type, options }: { type: string; options: string[] }) => type === 'bind' && !options.includes('ro'),
    )
    .map(({ source }: { source: string }) => source);
  assert.deepEqual(writable, ['/run/m/vps/a1/sock', '/log/a1/console.log', '/pool/volumes/a1/disk.raw']);
});

test('the identity follows the initial file system as the kernel wants it, whatever the size of the former', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'initramfs-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const provision = renderProvision(
    [{ kind: 'file', path: 'etc/hostname', mode: 0o644, content: Buffer.from('web\n') }],
    new Date(0),
  );
  for (const size of [8, 9, 10, 11]) {
    const source = join(folder, 'source');
    const target = join(folder, 'target');
    writeFileSync(source, Buffer.alloc(size, 7));
    await writeInitramfs(source, target, provision);
    const script = `tail -c +${1 + Math.ceil(size / 4) * 4} target | cpio -i --quiet --to-stdout mullion/provision.tar | tar xOf - etc/hostname`;
    const unpacked = spawnSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8' });
    assert.equal(unpacked.stdout, 'web\n', unpacked.stderr);
  }
});
