import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debianImage, NO_DEBIAN } from '../support/crun-fixture.ts';
import { scratchDirectory } from '../support/scratch.ts';
import { leaksOfContainers } from './leaks-of-containers.ts';

test('a VPS knows less of its host than a container of other software', async (t) => {
  const image = debianImage();
  if (process.getuid?.() !== 0) return t.skip('needs root');
  if (image === undefined) return t.skip(NO_DEBIAN);
  const scratch = scratchDirectory('leaks');
  t.after(() => scratch[Symbol.dispose]());
  const scores = await leaksOfContainers(image, scratch.path);
  for (const { kind, leaks, facts } of scores) {
    t.diagnostic(`${kind}: ${leaks} of ${facts} facts are the host's`);
  }
  const [own, ...others] = scores.map(({ leaks }) => leaks);
  assert.ok(others.length > 0 && others.every((other) => (own ?? other) < other), JSON.stringify(scores));
});
