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
  ownKernel: false,
  resourcesApart: false,
  environment: true,
  health: true,
  display: false,
};
