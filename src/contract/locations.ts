/** Where the daemon and its clients meet when nothing else is configured. */
export const DEFAULT_RUN_DIRECTORY = '/run/mullion';
export const CONFIG_FILE = '/etc/mullion/config.json';
/** Name of the API's Unix socket inside the run directory. */
export const SOCKET_NAME = 'api.sock';
export const PID_FILE_NAME = 'daemon.pid';
