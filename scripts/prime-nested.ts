import { ensureBase } from '../test/support/nested/base-image.ts';
import { NESTED_KINDS } from '../test/support/nested/kinds.ts';

/** Puts the images of nested hosts into the cache, by a process that has the machine's network. */
for (const kind of Object.values(NESTED_KINDS)) {
  const began = performance.now();
  const { disk } = await ensureBase(kind);
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`a nested ${kind.name} host: ${disk} (${seconds} s)`);
}
