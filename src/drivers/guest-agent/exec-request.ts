import type { ExecRequest, Window } from '../../contract/streams.ts';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const DEFAULT_WINDOW = { columns: 80, rows: 24 };

/** A request as a guest is told of it. */
export interface GuestCommand {
  /** Empty for root. */
  readonly user: string;
  /** Empty for the user's own. */
  readonly group: string;
  /** Empty for the home directory. */
  readonly folder: string;
  /** Of its terminal, if it has one. */
  readonly window: Window | undefined;
  /** Each `NAME=VALUE`. */
  readonly variables: readonly string[];
  readonly argv: readonly string[];
}

/** `environment` is the VPS's own; the request's comes after it. */
export function guestCommand(
  request: ExecRequest,
  environment: Readonly<Record<string, string>>,
): GuestCommand {
  const [user = '', group = ''] = (request.user ?? '').split(':');
  const variables = {
    PATH,
    ...(request.tty ? { TERM: 'xterm-256color' } : {}),
    ...environment,
    ...request.env,
  };
  return {
    user,
    group,
    folder: request.cwd ?? '',
    window: request.tty ? (request.window ?? DEFAULT_WINDOW) : undefined,
    variables: Object.entries(variables).map(([key, value]) => `${key}=${value}`),
    argv: request.argv,
  };
}
