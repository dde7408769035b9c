import type { NetworkBackend } from './network.ts';

/** For a host that is configured to have no networks: nothing is made and nothing is reached. */
export const nullNetwork: NetworkBackend = {
  sync: async () => undefined,
  ensureNetwork: async () => undefined,
  removeNetwork: async () => undefined,
  admit: async () => undefined,
  connect: async () => undefined,
  detach: async () => undefined,
  setForwards: async () => undefined,
  setRates: async () => undefined,
  usage: async () => ({ networkIn: 0, networkOut: 0 }),
  setFirewall: async () => undefined,
  firewallCounts: async () => new Map(),
  usageOfAll: async () => new Map(),
  close: async () => undefined,
};
