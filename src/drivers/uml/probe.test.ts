import assert from 'node:assert/strict';
import { test } from 'node:test';
import { preload } from './preload.ts';
import { judge } from './probe.ts';
import { probeInitramfs } from './probe-init.ts';

const found = { version: '6.1.90', cpuModel: 'A processor', partitions: true };

test('a host on which a program ran is healthy and needs no remedy', () => {
  const report = judge({ ...found, trial: { outcome: 'ran', message: '' } });
  assert.deepEqual([report.state, report.remedy], ['healthy', '']);
  assert.ok(report.evidence.some((line) => line.includes('6.1.90')));
});

test('a host without the program is undetected, and told how to get it', () => {
  const report = judge({ ...found, version: undefined, partitions: false, trial: undefined });
  assert.equal(report.state, 'undetected');
  assert.match(report.remedy, /user-mode-linux/);
});

test('a program that does not run a guest is unhealthy, with its last words and a remedy that fits them', () => {
  const remedy = (message: string): string => {
    const report = judge({ ...found, trial: { outcome: 'failed', message } });
    assert.equal(report.state, 'unhealthy');
    assert.ok(report.evidence.some((line) => line.includes(message)));
    return report.remedy;
  };
  assert.match(remedy('userspace - ptrace set fp regs failed, errno = 14'), /amx/);
  assert.match(remedy('ptrace: Operation not permitted'), /ptrace_scope/);
  assert.match(remedy('Kernel panic - not syncing'), /Reinstall/);
  assert.equal(judge({ ...found, trial: { outcome: 'silent', message: '' } }).state, 'unhealthy');
});

test('a kernel that makes no partitions is unhealthy, and told where a better one is from', () => {
  const report = judge({ ...found, partitions: false, trial: undefined });
  assert.equal(report.state, 'unhealthy');
  assert.match(report.evidence.join(), /CONFIG_CMDLINE_PARTITION/);
  assert.match(report.remedy, /Debian/);
});

test('what is preloaded is a shared object that gives its functions, and the first program is a whole one', () => {
  const object = preload();
  assert.equal(object.toString('latin1', 1, 4), 'ELF');
  assert.equal(object.readUInt16LE(16), 3);
  for (const name of ['ptrace', 'kill', 'stat64', 'pwrite64', 'fallocate64']) {
    assert.ok(object.includes(`\0${name}\0`), name);
  }
  assert.ok(probeInitramfs().includes('\x7fELF'));
});
