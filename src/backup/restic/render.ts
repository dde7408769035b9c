import { parseRepositoryUrl, type RepositoryAddress } from '../../core/repository-url.ts';
import type { Labels } from '../backup.ts';

export interface SecretPaths {
  readonly key: string;
  readonly credentials: string | undefined;
  readonly knownHosts: string;
}

export interface Invocation {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Held by every label that is ours, so that others' tags are told apart. */
const MARK = 'mullion.';
/** Ends with the daemon, however that ends, and leaves the processors to VPSs. */
const WRAPPER = ['setpriv', '--pdeathsig', 'KILL', 'nice', '-n', '10'];

/** restic's arguments and environment: only names of files, never a secret. */
export function renderInvocation(
  url: string,
  secrets: SecretPaths,
  cache: string,
  args: readonly string[],
): Invocation {
  return {
    argv: [
      ...WRAPPER,
      'restic',
      '--repo',
      url,
      '--cache-dir',
      cache,
      '--cleanup-cache',
      ...transportOptions(parseRepositoryUrl(url), secrets),
      ...args,
    ],
    env: {
      RESTIC_PASSWORD_FILE: secrets.key,
      RESTIC_PROGRESS_FPS: '2',
      ...(secrets.credentials === undefined ? {} : { AWS_SHARED_CREDENTIALS_FILE: secrets.credentials }),
    },
  };
}

function transportOptions(address: RepositoryAddress, secrets: SecretPaths): string[] {
  if (address.kind !== 'sftp') return [];
  return ['--option', `sftp.command=${sshCommand(address, secrets).map(quoted).join(' ')}`];
}

/** Nothing of the host's own SSH configuration, no question, and only the key that was given. */
function sshCommand(
  { user, host, port }: Extract<RepositoryAddress, { kind: 'sftp' }>,
  { credentials, knownHosts }: SecretPaths,
): string[] {
  return [
    'ssh',
    '-F',
    'none',
    ...(credentials === undefined ? [] : ['-i', credentials]),
    '-o',
    'IdentitiesOnly=yes',
    '-o',
    'BatchMode=yes',
    '-o',
    'ConnectTimeout=20',
    '-o',
    'ServerAliveInterval=20',
    '-o',
    'ServerAliveCountMax=3',
    '-o',
    'GlobalKnownHostsFile=/dev/null',
    '-o',
    `UserKnownHostsFile=${knownHosts}`,
    '-o',
    'StrictHostKeyChecking=accept-new',
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...(user === undefined ? [] : ['-l', user]),
    '-s',
    '--',
    host,
    'sftp',
  ];
}

/** For restic's own splitting of the command, which knows quotes (restic, internal/backend/shell_split.go). */
const quoted = (word: string): string => (/^[A-Za-z0-9_./:=@,-]+$/.test(word) ? word : `"${word}"`);

/** Labels as restic's tags, which are parted by commas. */
export const tagsOf = (labels: Labels): string[] =>
  Object.entries(labels).flatMap(([name, value]) => ['--tag', `${MARK}${name}=${encodeURIComponent(value)}`]);

export function labelsOf(tags: readonly string[]): Labels {
  const pairs = tags.flatMap((tag) => {
    const sign = tag.indexOf('=');
    if (!tag.startsWith(MARK) || sign < 0) return [];
    return [[tag.slice(MARK.length, sign), decoded(tag.slice(sign + 1))] as const];
  });
  return Object.fromEntries(pairs);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
