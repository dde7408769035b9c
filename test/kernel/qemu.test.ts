import { driverConformance } from '../conformance/drivers.ts';
import { openQemuFixture } from '../support/qemu-fixture.ts';
import { NO_IMAGE, smallGuest } from '../support/small-guest.ts';

driverConformance('qemu', {
  unfit: async () => ((await smallGuest()) === undefined ? NO_IMAGE : undefined),
  open: async () => {
    const image = await smallGuest();
    if (image === undefined) throw new Error(NO_IMAGE);
    return openQemuFixture(image);
  },
});
