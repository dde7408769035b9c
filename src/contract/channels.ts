/**
 * The protocol of `exec` and `console` over WebSocket (RFC 6455).
 * Binary messages carry data; their first byte is the channel. Text messages carry one JSON control message.
 * The client's first message of `exec` is the control message `exec`.
 */
export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2 } as const;
export type Channel = (typeof CHANNEL)[keyof typeof CHANNEL];

export const SIGNALS = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGKILL',
  'SIGUSR1',
  'SIGUSR2',
  'SIGTSTP',
  'SIGCONT',
  'SIGWINCH',
] as const;
export type Signal = (typeof SIGNALS)[number];
