import { readFileSync } from 'node:fs';
import { MullionError } from '../contract/error-table.ts';
import { CONFIG_FILE, DEFAULT_RUN_DIRECTORY, SOCKET_NAME } from '../contract/locations.ts';
import type { NodeTarget } from './node-transport.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Which daemon to talk to: MULLION_URL (`https://host:port`, with MULLION_TOKEN_FILE and MULLION_CA_FILE), or the
 * socket in MULLION_RUN_DIR, in the configuration's `runDirectory`, or in the default place.
 */
export function findTarget(environment: Environment): NodeTarget {
  const url = environment.MULLION_URL;
  if (url === undefined || url === '') return { socketPath: `${runDirectory(environment)}/${SOCKET_NAME}` };
  if (url.startsWith('unix:')) return { socketPath: url.slice('unix:'.length) };
  if (!url.startsWith('https://') || !URL.canParse(url)) {
    throw new MullionError('invalid_request', `MULLION_URL is "${url}", which is no address of a daemon.`, {
      remedy: 'Write it like https://host:8443 or unix:/run/mullion/api.sock, or unset it',
    });
  }
  return {
    url,
    token: readSetting(environment, 'MULLION_TOKEN_FILE')?.trim(),
    authority: readSetting(environment, 'MULLION_CA_FILE'),
  };
}

export function runDirectory(environment: Environment): string {
  if (environment.MULLION_RUN_DIR !== undefined && environment.MULLION_RUN_DIR !== '') {
    return environment.MULLION_RUN_DIR;
  }
  try {
    const document: unknown = JSON.parse(readFileSync(environment.MULLION_CONFIG ?? CONFIG_FILE, 'utf8'));
    if (typeof document === 'object' && document !== null && 'runDirectory' in document) {
      return String(document.runDirectory);
    }
  } catch {
    // A file that is absent or wrong is the daemon's to report; the default is the best guess.
  }
  return DEFAULT_RUN_DIRECTORY;
}

function readSetting(environment: Environment, variable: string): string | undefined {
  const path = environment[variable];
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new MullionError('invalid_request', `The file ${path} that ${variable} names cannot be read.`, {
      remedy: `Correct or unset ${variable}`,
      cause,
    });
  }
}
