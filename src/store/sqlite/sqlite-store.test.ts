import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeConformance } from '../../../test/conformance/stores.ts';
import { openSqliteStore } from './sqlite-store.ts';

storeConformance('sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mullion-store-'));
  let ahead = 0;
  const store = openSqliteStore(join(folder, 'store.db'), () => Date.now() + ahead);
  return {
    store,
    advance: (ms) => {
      ahead += ms;
    },
    dispose: async () => {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
});
