import assert from 'node:assert/strict';
import { basename, join, normalize } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { PoolFolders } from './pool-folders.ts';
import { checkVolumeId } from './volume-id.ts';

test('whatever is accepted as an id is one visible folder right below its parent', () => {
  const folders = new PoolFolders('/pool');
  const id = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('a', '.', '/', '-', '\\', '\0', ' ', '~') }),
  );
  fc.assert(
    fc.property(id, (candidate) => {
      try {
        checkVolumeId(candidate);
      } catch {
        return;
      }
      const path = folders.volume(candidate);
      assert.equal(normalize(path), path);
      assert.equal(join('/pool/volumes', basename(path)), path);
      assert.match(basename(path), /^[^.-]/);
    }),
    { numRuns: 2000 },
  );
});

test('ids as the engine makes them are accepted', () => {
  for (const id of ['a1b2c3d4', '7f3c9a52-0b1e-4c1f-9c1a-5e2f6a7b8c9d', 'debian_12.amd64', 'x'.repeat(128)]) {
    assert.equal(checkVolumeId(id), id);
  }
});
