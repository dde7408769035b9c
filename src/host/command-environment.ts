const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The environment of every command: fixed, so that nothing of the caller's reaches it. */
export const commandEnvironment = (extra: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  PATH: SEARCH_PATH,
  LC_ALL: 'C.UTF-8',
  HOME: '/root',
  ...extra,
});
