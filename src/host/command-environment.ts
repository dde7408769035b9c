const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** For programs that say nothing that depends on the language, and would spend their time on reading what does. */
export const PLAIN_LANGUAGE = { LC_ALL: 'C' } as const;

/** The environment of every command: fixed, so that nothing of the caller's reaches it. */
export const commandEnvironment = (extra: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  PATH: SEARCH_PATH,
  LC_ALL: 'C.UTF-8',
  HOME: '/root',
  ...extra,
});
