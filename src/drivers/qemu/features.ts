import type { Features } from '../../contract/techniques.ts';

/** The same for `full` and `hardware`: they differ in speed alone. */
export const FEATURES: Features = {
  exec: true,
  tty: true,
  console: true,
  logs: true,
  files: true,
  pause: true,
  gracefulStop: true,
  // A guest's memory is fixed at its start: a balloon only asks, and an unwilling guest keeps its memory.
  liveMemory: false,
  liveCpus: true,
  livePids: true,
  liveDisk: true,
  fractionalCpus: true,
  severalCpus: true,
  ownKernel: true,
  resourcesApart: false,
  environment: false,
};
