/** When a VPS that ended by itself is started again: never, when it died, or also when it switched itself off. */
export const RESTART_POLICIES = ['no', 'on-failure', 'always'] as const;
export type RestartPolicy = (typeof RESTART_POLICIES)[number];
export const DEFAULT_RESTART: RestartPolicy = 'on-failure';
