import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import { commandEnvironment, PLAIN_LANGUAGE } from '../command-environment.ts';
import { spawnCommand } from '../run.ts';
import { fitsAddress } from '../unix-address.ts';
import { type Crun, type MonitoredContainer, monitorArgv } from './arguments.ts';

const CREATE_MS = 30_000;
/** Descriptors that are handed on begin after the standard ones; conmon's own comes after them. */
const FIRST_FD = 3;

export interface MonitoredWorks {
  complete(): Promise<void>;
  meanwhile(): void;
}

/**
 * Makes a container under conmon. conmon leaves the caller's session, so that it outlives this process. `complete` makes
 * what crun needs while conmon is loaded; `meanwhile` is done while crun works.
 * @throws MullionError `start_failed` with crun's words; what `complete` and `meanwhile` throw
 */
export async function createMonitored(
  crun: Crun,
  prefix: readonly string[],
  container: MonitoredContainer,
  extraFds: readonly number[],
  { complete, meanwhile }: MonitoredWorks,
): Promise<{ readonly pid: number }> {
  // On it conmon tells the container's pid, or why there is none.
  const syncFd = FIRST_FD + extraFds.length;
  // conmon begins when it can read from it (conmon, src/conmon.c, "_OCI_STARTPIPE").
  const startFd = syncFd + 1;
  const child = spawnCommand(monitorArgv(crun, prefix, container, extraFds.length), {
    stdio: ['ignore', 'ignore', 'ignore', ...extraFds, 'pipe', 'pipe'],
    env: commandEnvironment({
      ...PLAIN_LANGUAGE,
      ...temporaryFolder(container.bundle),
      _OCI_SYNCPIPE: String(syncFd),
      _OCI_STARTPIPE: String(startFd),
    }),
    cwd: '/',
  });
  const sync = child.stdio.at(syncFd);
  const failed = once(child, 'error').then(([cause]: unknown[]) => {
    throw new MullionError('host_unfit', 'The program conmon cannot be started.', {
      remedy: 'Run: mullion quickstart, which installs what is missing',
      cause,
    });
  });
  failed.catch(() => undefined);
  const start = child.stdio.at(startFd);
  start?.on('error', () => undefined);
  try {
    await complete();
    start?.end('\n');
    meanwhile();
  } catch (failure) {
    child.kill('SIGKILL');
    for (const stream of child.stdio) stream?.destroy();
    throw failure;
  }
  const answer = parseSync(await Promise.race([firstLine(sync), failed]));
  if (answer.pid > 0) return { pid: answer.pid };
  const last = answer.message.trim().split('\n').at(-1) || 'no message';
  throw new MullionError('start_failed', `The container could not be made: ${last}`, {
    details: { output: answer.message.slice(-4000) },
    remedy: 'Run: mullion doctor, which tries a small container',
  });
}

const SOCKET = 'conmon-term.XXXXXX';
/** conmon makes a socket in it, which it leaves when it is killed: in the bundle that goes with the container. */
const temporaryFolder = (bundle: string): { readonly TMPDIR?: string } =>
  fitsAddress(join(bundle, SOCKET)) ? { TMPDIR: bundle } : {};

/** One JSON object on a line: `data`, or `pid` in older versions, is negative on failure (conmon, src/utils.c). */
export function parseSync(line: string): { readonly pid: number; readonly message: string } {
  try {
    const answer: unknown = JSON.parse(line);
    if (typeof answer === 'object' && answer !== null) {
      const pid = 'data' in answer ? answer.data : 'pid' in answer ? answer.pid : undefined;
      const message = 'message' in answer && typeof answer.message === 'string' ? answer.message : '';
      if (typeof pid === 'number') return { pid, message };
    }
  } catch {
    // What cannot be read is told below.
  }
  return { pid: -1, message: line };
}

/** Ends with the first newline or the stream, at the latest after half a minute. */
async function firstLine(stream: unknown): Promise<string> {
  if (!isReadable(stream)) throw new TypeError('the sync pipe cannot be read');
  const timer = setTimeout(() => stream.destroy(), CREATE_MS);
  let text = '';
  try {
    for await (const piece of stream.setEncoding('utf8')) {
      text += String(piece);
      if (text.includes('\n') || text.length > 65_536) break;
    }
  } catch {
    // A stream that was cut off gives what came until then.
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
  return text.split('\n')[0] ?? '';
}

const isReadable = (stream: unknown): stream is Readable =>
  typeof stream === 'object' && stream !== null && 'setEncoding' in stream && 'destroy' in stream;
