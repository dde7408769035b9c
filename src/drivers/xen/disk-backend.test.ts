import assert from 'node:assert/strict';
import { test } from 'node:test';
import { xenDeviceNumber } from './disk-backend.ts';

test('a device is named by its major and minor number, both hexadecimal', () => {
  assert.equal(xenDeviceNumber(0x0700), '7:0');
  assert.equal(xenDeviceNumber(0xca10), 'ca:10');
  assert.equal(xenDeviceNumber(0x1230_0745), '7:12345');
  assert.equal(xenDeviceNumber(0x1000_000a_bc03), '1abc:3');
});
