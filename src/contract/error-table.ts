/** user: the request is at fault; host: the machine cannot; system: it failed while running. */
export type ErrorKind = 'user' | 'host' | 'system';

export interface ErrorEntry {
  readonly kind: ErrorKind;
  readonly httpStatus: number;
  /** Exit code of the command line, as CLI.md lists them. */
  readonly exitCode: 2 | 3 | 4 | 5 | 6;
  readonly meaning: string;
  /** Used when the place that raised the error names no better one. */
  readonly remedy: string;
}

const user = (httpStatus: number, meaning: string, remedy: string): ErrorEntry => ({
  kind: 'user',
  httpStatus,
  exitCode: 2,
  meaning,
  remedy,
});
const refused = (httpStatus: number, meaning: string, remedy: string): ErrorEntry => ({
  ...user(httpStatus, meaning, remedy),
  exitCode: 4,
});
const host = (meaning: string, remedy: string): ErrorEntry => ({
  kind: 'host',
  httpStatus: 422,
  exitCode: 3,
  meaning,
  remedy,
});
const system = (httpStatus: number, meaning: string, remedy: string): ErrorEntry => ({
  kind: 'system',
  httpStatus,
  exitCode: 5,
  meaning,
  remedy,
});

/** Every error that Mullion reports, once. */
export const ERRORS = {
  invalid_request: user(
    400,
    'The request does not fit its schema.',
    'Correct the named field and try again.',
  ),
  body_too_large: user(413, 'The request body is larger than the limit.', 'Send a smaller body.'),
  unsupported_media_type: user(
    415,
    'The request body is not of a type this route reads.',
    'Send application/json.',
  ),
  unknown_route: user(404, 'No such route.', 'See /v1/openapi.json for the routes.'),
  method_not_allowed: user(405, 'The route exists, but not with this method.', 'See /v1/openapi.json.'),
  not_found: user(404, 'The named thing does not exist.', 'List what exists and check the spelling.'),
  already_exists: user(
    409,
    'A thing of that name exists already.',
    'Choose another name, or delete the other first.',
  ),
  wrong_state: user(
    409,
    'The VPS is in a state that does not allow this.',
    'See its state with: mullion info NAME',
  ),
  in_use: user(409, 'The thing is in use.', 'Delete what uses it first.'),
  not_supported: user(
    409,
    'This technique or backend cannot do that.',
    'Choose a technique that can: mullion techniques',
  ),
  image_unfit: user(
    409,
    'The image lacks a part that the technique needs.',
    'See its parts with: mullion image info IMAGE',
  ),
  image_refused: user(
    400,
    'The image is damaged, not what it claims to be, or dangerous.',
    'Use an image from a source that you trust.',
  ),
  conversion_refused: user(
    409,
    'The data has no equal in the form that the technique needs.',
    'Choose another technique, or change what the message names.',
  ),
  unauthenticated: refused(401, 'The request carries no valid credentials.', 'Send a valid bearer token.'),
  forbidden: refused(
    403,
    'You are not allowed to do this.',
    'Join the group mullion, or ask an administrator.',
  ),
  too_many_requests: refused(
    429,
    'More was asked for at one time than the API serves one client.',
    'Wait a moment and try again; ask less often.',
  ),
  quota_exceeded: refused(
    403,
    'There are as many of these already as there may be.',
    'Delete something that is not needed.',
  ),
  insufficient_memory: host(
    'The host does not have that much memory.',
    'Ask for less memory, or stop another VPS.',
  ),
  insufficient_disk: host(
    'The pool does not have that much space.',
    'Ask for a smaller disk, or grow the pool: mullion pool grow default SIZE',
  ),
  insufficient_cpus: host('The host does not have that many processors.', 'Ask for fewer cpus.'),
  technique_unavailable: host('This host cannot run that technique.', 'See why with: mullion techniques'),
  host_unfit: host('The host lacks something that is needed.', 'Run: mullion doctor'),
  start_failed: system(500, 'The VPS did not start.', 'See its log with: mullion logs NAME'),
  command_failed: system(500, 'A command of the host failed.', 'See the details; run: mullion doctor'),
  build_failed: system(
    500,
    'The image could not be built.',
    'Correct the cause and run the same build again: it resumes.',
  ),
  repository_unreachable: system(
    502,
    'The backup repository is not there, or does not answer.',
    'See that what holds it is mounted or answers; then try again.',
  ),
  backup_damaged: system(
    500,
    'The backup repository has lost or damaged data.',
    'Make a new backup into another repository; verify those that there are: mullion backup verify ID',
  ),
  guest_unresponsive: system(
    504,
    'The guest did not answer in time.',
    'Look at it with: mullion console NAME',
  ),
  timeout: system(504, 'It took longer than allowed.', 'Try again with a larger --timeout.'),
  cancelled: system(409, 'The task was cancelled.', 'Start it again if it is still wanted.'),
  conflict: system(409, 'Something else changed the same thing at the same time.', 'Try again.'),
  internal: system(
    500,
    'Mullion failed in a way it did not expect.',
    "See the daemon's log; run: mullion doctor",
  ),
  daemon_unreachable: {
    kind: 'system',
    httpStatus: 503,
    exitCode: 6,
    meaning: 'The daemon does not answer.',
    remedy: 'Start it with: mullion daemon start',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;
export const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** An error as it travels: the value of `error` in every failed answer. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  remedy: string;
  details: Record<string, unknown>;
}

export interface ErrorOptionsOf {
  readonly remedy?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

/** The one error class: a code of the table, a message that says what and why, a remedy that says what to do. */
export class MullionError extends Error {
  override readonly name = 'MullionError';
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: ErrorOptionsOf = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy ?? ERRORS[code].remedy;
    this.details = options.details ?? {};
  }

  get entry(): ErrorEntry {
    return ERRORS[this.code];
  }

  toBody(): ErrorBody {
    return { code: this.code, message: this.message, remedy: this.remedy, details: { ...this.details } };
  }

  static fromBody(body: ErrorBody): MullionError {
    return new MullionError(body.code, body.message, { remedy: body.remedy, details: body.details });
  }
}

/** Whatever was thrown, as a MullionError; what is unknown becomes `internal` with its cause kept. */
export function asMullionError(thrown: unknown): MullionError {
  if (thrown instanceof MullionError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new MullionError('internal', message, { cause: thrown });
}
