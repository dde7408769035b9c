import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../contract/vps.ts';
import { checkEntryPath } from '../archive/entry.ts';
import type { Machine } from '../driver.ts';
import { quote } from './environment.ts';
import { identityFiles } from './identity.ts';

const machine: Machine = {
  id: 'a1',
  name: 'web',
  project: 'default',
  technique: 'os',
  limits: DEFAULT_LIMITS,
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
      addresses: [
        { address: 'fd00::5', prefix: 64, gateway: 'fd00::1' },
        { address: '10.77.0.5', prefix: 24, gateway: '10.77.0.1' },
      ],
      nameservers: ['10.77.0.1'],
      domain: 'default.mullion',
    },
  ],
  machineId: '0123456789abcdef0123456789abcdef',
  env: { GREETING: 'say "100 %"\\' },
  sshKeys: ['ssh-ed25519 AAAA me'],
};

function content(of: Machine, path: string): string | undefined {
  const entry = identityFiles(of).find((candidate) => candidate.path === path);
  return entry?.kind === 'file' ? Buffer.from(entry.content).toString() : undefined;
}

test('every path is fit for an archive and occurs once', () => {
  const paths = identityFiles({ ...machine, userData: 'true' }).map(({ path }) => path);
  for (const path of paths) checkEntryPath(path);
  assert.equal(new Set(paths).size, paths.length);
});

test('a VPS knows its name, its id and its addresses', () => {
  assert.equal(content(machine, 'etc/hostname'), 'web\n');
  assert.equal(content(machine, 'etc/machine-id'), `${machine.machineId}\n`);
  assert.match(content(machine, 'etc/hosts') ?? '', /^10\.77\.0\.5 web\.default\.mullion web$/m);
  assert.equal(content(machine, 'etc/resolv.conf'), 'search default.mullion\nnameserver 10.77.0.1\n');
  const network = content(machine, 'etc/systemd/network/10-mullion-eth0.network') ?? '';
  assert.match(network, /^MACAddress=52:54:00:01:02:03$/m);
  assert.match(network, /^Address=10\.77\.0\.5\/24$/m);
  assert.match(network, /^Gateway=10\.77\.0\.1\nGateway=fd00::1$/m);
});

test('a VPS without a network keeps the image’s resolver and still knows its own name', () => {
  const alone = { ...machine, nics: [] };
  assert.equal(content(alone, 'etc/resolv.conf'), undefined);
  assert.match(content(alone, 'etc/hosts') ?? '', /^127\.0\.1\.1 web$/m);
});

test('what may be secret is for root alone', () => {
  for (const entry of identityFiles({ ...machine, userData: 'true' })) {
    if (/user-data$|authorized_keys2|system\.conf\.d/.test(entry.path) && entry.kind === 'file') {
      assert.equal(entry.mode & 0o077, 0, entry.path);
    }
  }
});

test('a value of the environment stays one word to systemd', () => {
  assert.equal(quote('A=a "b" 5%\\\n\t'), '"A=a \\"b\\" 5%%\\\\\\n\\t"');
  assert.match(
    content(machine, 'etc/systemd/system.conf.d/10-mullion.conf') ?? '',
    /^DefaultEnvironment="GREETING=say \\"100 %%\\"\\\\"$/m,
  );
});

test('a script without an interpreter line runs under sh, and one with its own keeps it', () => {
  const script = (userData: string): string | undefined =>
    content({ ...machine, userData }, 'var/lib/mullion/user-data');
  assert.equal(script('echo hello'), '#!/bin/sh\necho hello');
  assert.equal(script('#!/usr/bin/perl\n1'), '#!/usr/bin/perl\n1');
  assert.equal(content(machine, 'var/lib/mullion/user-data'), undefined);
});
