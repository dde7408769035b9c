import { createMemoryStore } from './memory/memory-store.ts';
import { openSqliteStore } from './sqlite/sqlite-store.ts';
import type { Store } from './store.ts';

/** Where desired and observed state can live. */
export type StoreChoice = { readonly kind: 'sqlite'; readonly path: string } | { readonly kind: 'memory' };

export function openStore(choice: StoreChoice): Store {
  switch (choice.kind) {
    case 'sqlite':
      return openSqliteStore(choice.path);
    case 'memory':
      return createMemoryStore();
  }
}
