import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interrupts } from './load.ts';

test('interrupts of devices are summed up for each processor that is on', () => {
  const text = `            CPU0       CPU2       
   4:          5          0   IO-APIC   4-edge      ttyS0
  36:          7   13175706  PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
 NMI:        100        200   Non-maskable interrupts
 ERR:          9
`;
  assert.deepEqual(
    [...interrupts(text)],
    [
      [0, 12],
      [2, 13175706],
    ],
  );
  assert.deepEqual([...interrupts('')], []);
});
