import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endFromEvent, endFromLines } from './end.ts';

test('a shutdown by the guest is told from every other end of QEMU', () => {
  assert.equal(endFromEvent({ guest: true, reason: 'guest-shutdown' })?.kind, 'poweroff');
  assert.deepEqual(endFromEvent({ guest: false, reason: 'host-signal' }), {
    kind: 'died',
    reason: 'QEMU ended: host-signal',
  });
  assert.equal(endFromEvent({ guest: true, reason: 'guest-panic' })?.kind, 'died');
  assert.equal(endFromEvent({ reason: 'two\nlines' }), undefined);
});

test('how QEMU ended while nobody listened stands in its log', () => {
  assert.equal(endFromLines('qemu_system_shutdown_request reason=6\n').kind, 'poweroff');
  assert.equal(endFromLines('1@2.3:qemu_system_shutdown_request reason=6\n').kind, 'poweroff');
  assert.equal(endFromLines('qemu_system_shutdown_request reason=4\n').kind, 'died');
  assert.equal(endFromLines('').kind, 'died');
});
