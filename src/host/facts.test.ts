import assert from 'node:assert/strict';
import { test } from 'node:test';
import { field } from './cgroup-files.ts';
import { parseMemInfo, parseOsRelease } from './facts.ts';
import { renderLine } from './logger.ts';
import { parseNetDev } from './net-links.ts';
import { renderIdMap } from './user-namespaces.ts';

test('meminfo becomes bytes where it counts kilobytes', () => {
  const memory = parseMemInfo('MemTotal:       24 kB\nHugePages_Total:       3\nActive(anon):   5 kB\n');
  assert.deepEqual(memory, { MemTotal: 24 * 1024, HugePages_Total: 3, 'Active(anon)': 5 * 1024 });
});

test('os-release is read with each way of quoting', () => {
  const text = '# comment\nID=debian\nPRETTY_NAME="Debian \\"12\\" \\$x"\nNAME=\'a b\'\nbad line\n';
  assert.deepEqual(parseOsRelease(text), { ID: 'debian', PRETTY_NAME: 'Debian "12" $x', NAME: 'a b' });
});

test('net/dev gives received and sent bytes, also where the name touches the number', () => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier',
    '    lo:     100       1    0    0    0     0          0         0      200       2    0    0    0     0       0          0',
    'mv00-1:12345678901 1 0 0 0 0 0 0 42 2 0 0 0 0 0 0',
  ].join('\n');
  const links = parseNetDev(text);
  assert.deepEqual(links.get('lo'), { rxBytes: 100, txBytes: 200 });
  assert.deepEqual(links.get('mv00-1'), { rxBytes: 12345678901, txBytes: 42 });
  assert.equal(links.size, 2);
});

test('a flat keyed field is found by its whole name', () => {
  assert.equal(field('inactive_file_x 1\ninactive_file 7\n', 'inactive_file'), 7);
  assert.equal(field('', 'inactive_file'), 0);
});

test('the map of a user namespace ends with the host root above its range', () => {
  assert.equal(renderIdMap(100_000, 65_536), '0 100000 65536\n65536 0 1\n');
});

test('a log line keeps its own keys, and shows errors with their cause and without endless loops', () => {
  const fields: Record<string, unknown> = { vps: 'a', message: 'not this', big: 10n };
  fields.self = fields;
  fields.failure = new Error('outer', { cause: Object.assign(new Error('inner'), { code: 'ENOENT' }) });
  const line = JSON.parse(renderLine(new Date(0), 'warn', 'a step failed', fields));
  assert.equal(line.time, '1970-01-01T00:00:00.000Z');
  assert.equal(line.message, 'a step failed');
  assert.equal(line.big, '10');
  assert.equal(line.failure.message, 'outer');
  assert.equal(line.failure.cause.code, 'ENOENT');
});
