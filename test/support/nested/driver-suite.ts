import { join } from 'node:path';
import * as z from 'zod';
import type { ImageFiles } from '../../../src/drivers/driver.ts';
import { driverConformance } from '../../conformance/drivers.ts';
import { openQemuFixture } from '../qemu-fixture.ts';
import { openXenFixture } from '../xen-fixture.ts';

// Runs inside a nested host, by node:test: what every driver must do, of the driver that only such a host can run. The
// folder named in MULLION_SUITE holds the image's parts and the ISO of `foreignGuest`.
const { MULLION_SUITE: folder, MULLION_SUITE_TECHNIQUE: technique } = z
  .object({ MULLION_SUITE: z.string(), MULLION_SUITE_TECHNIQUE: z.enum(['hardware', 'para']) })
  .parse(process.env);

const image: ImageFiles = {
  id: 'quick',
  disk: join(folder, 'disk.raw'),
  kernel: { vmlinuz: join(folder, 'vmlinuz'), initramfs: join(folder, 'initramfs') },
};
const foreign: ImageFiles = { id: 'foreign', iso: join(folder, 'foreign.iso') };
const patience = { ready: 300_000, stop: 120_000 };

driverConformance(`of ${technique}`, {
  unfit: () => Promise.resolve(undefined),
  open: () =>
    Promise.resolve(
      technique === 'para' ? openXenFixture(image) : openQemuFixture(image, { technique, foreign, patience }),
    ),
});
