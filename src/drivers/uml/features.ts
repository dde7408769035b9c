import type { Features } from '../../contract/techniques.ts';

export const FEATURES: Features = {
  exec: true,
  tty: true,
  console: true,
  logs: true,
  files: true,
  pause: true,
  savedMemory: false,
  warmStart: false,
  gracefulStop: true,
  // Its management console can take memory away and give it back, but never more than it was started with.
  liveMemory: false,
  // The share of time changes; the guest has one processor whatever it is.
  liveCpus: true,
  livePids: true,
  liveDisk: true,
  diskRates: true,
  liveDiskRates: true,
  fractionalCpus: true,
  severalCpus: false,
  ownKernel: true,
  resourcesApart: false,
  environment: false,
  health: true,
  display: false,
};
