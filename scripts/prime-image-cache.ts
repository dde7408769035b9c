import { CACHE, TestDaemon } from '../test/support/daemon.ts';

/**
 * Builds the image that tests launch, with the machine's own network, which their namespaces do not have; later builds
 * find all they need in the cache. A daemon without a network of its own changes nothing of the machine's.
 */
await using daemon = await TestDaemon.start('prime', { config: { network: { enabled: false } } });
const began = performance.now();
await daemon.ensureImage();
console.log(`the image debian/12 is in ${CACHE} (${Math.round((performance.now() - began) / 1000)} s)`);
