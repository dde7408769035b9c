import { driverConformance } from '../conformance/drivers.ts';
import { debianImage, NO_DEBIAN, openCrunFixture } from '../support/crun-fixture.ts';

const image = debianImage();

driverConformance('crun with systemd', {
  unfit: async () => {
    if (process.getuid?.() !== 0) return 'needs root';
    return image === undefined ? NO_DEBIAN : undefined;
  },
  open: async () => {
    if (image === undefined) throw new Error(NO_DEBIAN);
    return openCrunFixture(image, 30_000);
  },
});
