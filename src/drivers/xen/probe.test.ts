import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, type ProbeFacts } from './probe.ts';

const info = { version: '4.17.5', cpus: 2, scheduler: 'credit2', virtCaps: ['pv'], freeMemoryMib: 800 };
const domain0 = { hypervisor: 'xen', capabilities: 'control_d' };
const cases: [why: string, facts: ProbeFacts, state: string, remedy: RegExp][] = [
  [
    'no hypervisor',
    { host: { hypervisor: undefined, capabilities: undefined }, info: undefined, trial: undefined },
    'undetected',
    /Boot it under Xen/,
  ],
  [
    'a guest of Xen',
    { host: { hypervisor: 'xen', capabilities: '' }, info: undefined, trial: undefined },
    'undetected',
    /host of your own/,
  ],
  [
    'xenfs that is not mounted',
    { host: { hypervisor: 'xen', capabilities: undefined }, info: undefined, trial: undefined },
    'undetected',
    /mount -t xenfs/,
  ],
  ['no toolstack', { host: domain0, info: 'missing', trial: undefined }, 'unhealthy', /apt-get install/],
  [
    'a toolstack that is down',
    { host: domain0, info: 'xl failed', trial: undefined },
    'unhealthy',
    /systemctl start xen/,
  ],
  [
    'a guest that says nothing',
    { host: domain0, info, trial: { outcome: 'silent', message: 'nothing' } },
    'unhealthy',
    /xl dmesg/,
  ],
];

for (const [why, facts, state, remedy] of cases) {
  test(`the probe tells of ${why}`, () => {
    const report = judge(facts);
    assert.equal(report.state, state);
    assert.match(report.remedy, remedy);
    assert.ok(report.evidence.length >= 2);
  });
}

test('only a guest that ran makes the technique healthy', () => {
  const report = judge({ host: domain0, info, trial: { outcome: 'ran', message: '' } });
  assert.equal(report.state, 'healthy');
  assert.equal(report.remedy, '');
  assert.match(report.evidence.join('\n'), /Xen 4\.17\.5.*guests are PV\n.*para-virtual guest ran/);
});
