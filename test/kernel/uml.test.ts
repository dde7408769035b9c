import { driverConformance } from '../conformance/drivers.ts';
import { NO_IMAGE, smallGuest } from '../support/small-guest.ts';
import { openUmlFixture, umlUnfit } from '../support/uml-fixture.ts';

driverConformance('uml', {
  unfit: async () => (await umlUnfit()) ?? ((await smallGuest()) === undefined ? NO_IMAGE : undefined),
  open: async () => {
    const image = await smallGuest();
    if (image === undefined) throw new Error(NO_IMAGE);
    return openUmlFixture(image);
  },
});
