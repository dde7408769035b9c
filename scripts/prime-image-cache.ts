import { globSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { TestDaemon } from '../test/support/daemon.ts';
import {
  CACHE,
  PAGE_IMAGE,
  PRIMED,
  PRIMED_QUICK,
  PRIMED_TOOLS,
  QUICK_IMAGE,
  TOOLS_IMAGE_ARGS,
} from '../test/support/test-image.ts';
import { forgetVerdicts, keepVerdicts } from '../test/support/verdicts.ts';

// Lists count as fresh for an hour: begin that hour now, so that it does not end in the midst of the tests.
for (const stamp of globSync(`${CACHE}/apt/*/updated`)) rmSync(stamp);

forgetVerdicts();

/**
 * Builds the images that tests launch, with the machine's own network, which their namespaces do not have; later builds
 * find all they need in the cache. A daemon without a network of its own changes nothing of the machine's.
 */
await using daemon = await TestDaemon.start('prime', { config: { network: { enabled: false } } });
const began = performance.now();
await daemon.client.call('techniques.list');
keepVerdicts(daemon.place.stateDirectory);
await daemon.ensureImage();
for (const image of [PAGE_IMAGE, TOOLS_IMAGE_ARGS, QUICK_IMAGE]) {
  await daemon.ok(['image', 'build', ...image], { timeoutMs: 900_000 });
}
for (const [name, path] of [
  ['debian/12', PRIMED],
  [QUICK_IMAGE[0], PRIMED_QUICK],
  [TOOLS_IMAGE_ARGS[0], PRIMED_TOOLS],
] as const) {
  const { digest } = await daemon.client.call('images.info', { params: { name } });
  rmSync(`${path}.new`, { force: true });
  symlinkSync(join(CACHE, 'images', digest.replace('sha256:', '')), `${path}.new`);
  renameSync(`${path}.new`, path);
}
console.log(
  `the images debian/12, ${PAGE_IMAGE[0]}, ${TOOLS_IMAGE_ARGS[0]} and ${QUICK_IMAGE[0]} are in ${CACHE} (${Math.round((performance.now() - began) / 1000)} s)`,
);
