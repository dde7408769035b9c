import { storeConformance } from '../../../test/conformance/stores.ts';
import { createMemoryStore } from './memory-store.ts';

storeConformance('memory', async () => {
  let ahead = 0;
  const store = createMemoryStore(() => Date.now() + ahead);
  return {
    store,
    advance: (ms) => {
      ahead += ms;
    },
    dispose: () => store.close(),
  };
});
