import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { lineReader, parseAptStatus } from './apt-status.ts';
import { RateMeter } from './rate.ts';

describe("apt's progress", () => {
  test('is read for downloads and for installs', () => {
    assert.deepEqual(parseAptStatus('dlstatus:3:12.5:Retrieving file 3 of 8 (10s remaining)'), {
      phase: 'download',
      percent: 12.5,
      message: 'Retrieving file 3 of 8 (10s remaining)',
    });
    assert.deepEqual(parseAptStatus('pmstatus:libc6:amd64:40.0:Unpacking libc6:amd64'), {
      phase: 'install',
      percent: 40,
      message: 'Unpacking libc6:amd64',
    });
  });

  test('leaves other lines alone', () => {
    for (const line of ['', 'Setting up crun ...', 'pmerror:crun:10:failed', 'dlstatus:x']) {
      assert.equal(parseAptStatus(line), undefined, line);
    }
  });

  test('is cut into lines wherever the pieces end', () => {
    const lines: string[] = [];
    const read = lineReader((line) => lines.push(line));
    for (const piece of ['on', 'e\ntwo\nthr', 'ee\n']) read(piece);
    assert.deepEqual(lines, ['one', 'two', 'three']);
  });
});

describe('the rate', () => {
  test('gives units a second and the time left', () => {
    const meter = new RateMeter(100);
    assert.deepEqual(meter.measure(0, 0), {});
    assert.deepEqual(meter.measure(10, 1000), { rate: 10, secondsLeft: 9 });
  });

  test('forgets what is older than its window', () => {
    const meter = new RateMeter(1000, 5000);
    for (const [done, at] of [
      [0, 0],
      [500, 1000],
      [510, 6500],
    ] as const) {
      meter.measure(done, at);
    }
    const { rate } = meter.measure(520, 7500);
    assert.ok(rate !== undefined && rate < 20, String(rate));
  });
});
