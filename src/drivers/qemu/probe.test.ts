import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCpuInfo, type VirtualizationFacts } from '../../host/virtualization.ts';
import { guestLimit, judge } from './probe.ts';

const host: VirtualizationFacts = {
  cpuModel: 'Some CPU',
  cpuExtensions: [],
  kvmDevice: 'present',
  kvmModules: ['kvm', 'kvm_pvm'],
};
const architecture = 'x64';
const version = 'QEMU emulator version 7.2';
const limitMs = 3_400;
const ran = { outcome: 'ran', limitMs, message: '' } as const;

test('a guest that ran is the only proof', () => {
  assert.equal(judge('full', { architecture, version, host, trial: ran }).state, 'healthy');
  assert.equal(judge('hardware', { architecture, version, host, trial: ran }).state, 'healthy');
});

test('a device without a guest that runs is unhealthy, with evidence and remedy', () => {
  for (const outcome of ['silent', 'failed'] as const) {
    const report = judge('hardware', {
      architecture,
      version,
      host,
      trial: { outcome, limitMs, message: 'it broke' },
    });
    assert.equal(report.state, 'unhealthy');
    assert.ok(report.remedy.length > 0);
    assert.ok(report.evidence.some((line) => line.includes('/dev/kvm is present (kvm, kvm_pvm)')));
    assert.ok(
      report.evidence.some((line) =>
        (outcome === 'silent' ? /nothing within 4 seconds/ : /it broke/).test(line),
      ),
    );
  }
});

test('what is not there is undetected, and says how to get it', () => {
  const missing = [
    judge('full', { architecture, version: undefined, host, trial: undefined }),
    judge('hardware', { architecture, version: undefined, host, trial: undefined }),
    judge('hardware', { architecture, version, host: { ...host, kvmDevice: 'absent' }, trial: undefined }),
    judge('hardware', { architecture, version, host: { ...host, kvmDevice: 'forbidden' }, trial: undefined }),
  ];
  for (const report of missing) {
    assert.equal(report.state, 'undetected');
    assert.ok(report.remedy.length > 0);
    assert.ok(report.evidence.length > 0);
  }
});

test('a host of another architecture runs no machine of x86-64', () => {
  const report = judge('full', { architecture: 'arm64', version, host, trial: undefined });
  assert.equal(report.state, 'undetected');
  assert.match(report.reason, /arm64/);
  assert.doesNotMatch(report.remedy, /Install/);
});

test("the processor's extensions are read from /proc/cpuinfo", () => {
  const text =
    'processor\t: 0\nmodel name\t: AMD X\nflags\t\t: fpu svm lm\n\nprocessor\t: 1\nmodel name\t: AMD X\n';
  assert.deepEqual(parseCpuInfo(text), { cpuModel: 'AMD X', cpuExtensions: ['svm'] });
});

test('a slow host has longer than a quick one before its guest counts as hanging', () => {
  assert.ok(guestLimit(100) < 4_000);
  assert.ok(guestLimit(2_500) >= 10_000);
});
