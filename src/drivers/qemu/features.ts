import type { Features } from '../../contract/techniques.ts';

/** The same for `full` and `hardware`: they differ in speed alone. */
export const FEATURES: Features = {
  exec: true,
  tty: true,
  console: true,
  logs: true,
  files: true,
  pause: true,
  savedMemory: true,
  warmStart: true,
  gracefulStop: true,
  // A guest's memory is fixed at its start: a balloon only asks, and an unwilling guest keeps its memory.
  liveMemory: false,
  liveCpus: true,
  livePids: true,
  liveDisk: true,
  diskRates: true,
  liveDiskRates: true,
  fractionalCpus: true,
  severalCpus: true,
  ownKernel: true,
  resourcesApart: false,
  environment: false,
  health: true,
  display: false,
};

/** Of guests that boot by a loader of their own, without an agent; their processes are theirs to count. */
export const FOREIGN_FEATURES: Features = {
  ...FEATURES,
  exec: false,
  tty: false,
  files: false,
  savedMemory: false,
  warmStart: false,
  liveCpus: false,
  livePids: false,
  health: false,
  display: true,
};
