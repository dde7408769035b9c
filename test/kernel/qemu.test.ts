import { driverConformance } from '../conformance/drivers.ts';
import { missingForForeign } from '../support/foreign-guest.ts';
import { openQemuFixture } from '../support/qemu-fixture.ts';
import { NO_IMAGE, smallGuest } from '../support/small-guest.ts';

driverConformance('qemu', {
  unfit: async () => {
    const missing = missingForForeign();
    if (missing.length > 0) return `these files are not here: ${missing.join(', ')}`;
    return (await smallGuest()) === undefined ? NO_IMAGE : undefined;
  },
  open: async () => {
    const image = await smallGuest();
    if (image === undefined) throw new Error(NO_IMAGE);
    return openQemuFixture(image);
  },
});
