import assert from 'node:assert/strict';
import { closeSync, existsSync, fstatSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { makeClocks } from '../../src/host/clocks.ts';
import { descriptorPath } from '../../src/host/descriptors.ts';
import { run } from '../../src/host/run.ts';

const skip = existsSync('/proc/self/ns/time') ? false : 'this kernel has no time namespaces';

test('clocks begin when they are made, each set anew, and the host keeps its own', { skip }, async () => {
  const [own, hostUptime] = [
    readlinkSync('/proc/self/ns/time'),
    uptimeIn(readFileSync('/proc/uptime', 'utf8')),
  ];
  const made = await Promise.all([makeClocks(), makeClocks(), makeClocks()]);
  try {
    assert.equal(new Set(made.map((fd) => fstatSync(fd).ino)).size, made.length);
    for (const fd of made) {
      const enter = ['nsenter', '--no-fork', `--time=${descriptorPath(fd)}`];
      const { stdout } = await run([...enter, 'cat', '/proc/uptime']);
      assert.ok(uptimeIn(stdout) < 60, `it has been up for ${stdout}`);
    }
    const { stdout } = await run(['sh', '-c', 'readlink /proc/self/ns/time; cat /proc/uptime']);
    const [clocks = '', uptime = ''] = stdout.split('\n');
    assert.equal(clocks, own, 'programs that are started have the clocks of the host');
    assert.ok(uptimeIn(uptime) >= hostUptime);
  } finally {
    for (const fd of made) closeSync(fd);
  }
});

const uptimeIn = (text: string): number => Number(text.split(' ')[0]);
