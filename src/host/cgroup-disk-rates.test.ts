import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_RATES } from '../contract/rates.ts';
import { renderIoMax, renderThrottles } from './cgroup-disk-rates.ts';

const RATES = { ...NO_RATES, diskReadRate: 1000, diskWriteOps: 20 };

test('on v2 one line holds all limits of a device, and max stands for none', () => {
  assert.equal(renderIoMax('7:3', RATES), '7:3 rbps=1000 wbps=max riops=max wiops=20');
});

test('on v1 each limit has its file, and 0 takes it away', () => {
  assert.deepEqual(renderThrottles('7:3', RATES), [
    ['blkio.throttle.read_bps_device', '7:3 1000'],
    ['blkio.throttle.write_bps_device', '7:3 0'],
    ['blkio.throttle.read_iops_device', '7:3 0'],
    ['blkio.throttle.write_iops_device', '7:3 20'],
  ]);
});
