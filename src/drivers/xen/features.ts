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
  liveMemory: true,
  liveCpus: true,
  livePids: true,
  liveDisk: true,
  fractionalCpus: true,
  severalCpus: true,
  ownKernel: true,
  resourcesApart: true,
  environment: false,
  health: true,
  display: false,
};
