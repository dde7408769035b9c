import { XenDriver } from '../../src/drivers/xen/driver.ts';
import { driverConformance } from '../conformance/drivers.ts';
import { NO_IMAGE, smallGuest } from '../support/small-guest.ts';
import { openXenFixture } from '../support/xen-fixture.ts';

driverConformance('xen', {
  unfit: async () => {
    const probe = new XenDriver({ domainPrefix: '', runDirectories: '', probeCache: '' });
    const { state, reason, evidence } = await probe.probe('para');
    if (state !== 'healthy') return `${reason} (${evidence.join('; ')})`;
    return (await smallGuest()) === undefined ? NO_IMAGE : undefined;
  },
  open: async () => {
    const image = await smallGuest();
    if (image === undefined) throw new Error(NO_IMAGE);
    return openXenFixture(image);
  },
});
