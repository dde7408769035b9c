/** What becomes of a VPS once its host was restarted: started in any case, if it ran before, or never. */
export const AUTOSTART_POLICIES = ['always', 'last-state', 'never'] as const;
export type AutostartPolicy = (typeof AUTOSTART_POLICIES)[number];
export const DEFAULT_AUTOSTART: AutostartPolicy = 'last-state';
