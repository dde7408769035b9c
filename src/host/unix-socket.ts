import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../contract/errors.ts';
import { O_PATH } from './open-flags.ts';
import { hasCode } from './system-error.ts';

/**
 * Connects to a stream socket in a folder that someone untrusted may write to: a link there is not followed, and the
 * path may be longer than a socket's address. The socket stays open for reading when we end writing.
 * @throws MullionError `host_unfit` when it is no socket, `timeout` when nobody listens in time
 */
export async function connectUnixSocket(path: string, timeoutMs: number): Promise<Socket> {
  const deadline = performance.now() + timeoutMs;
  for (let pause = 2; ; pause = Math.min(pause * 1.5, 50)) {
    try {
      return await connectOnce(path);
    } catch (cause) {
      if (!hasCode(cause, 'ENOENT', 'ECONNREFUSED', 'EAGAIN')) throw cause;
      if (performance.now() > deadline) {
        throw new MullionError('timeout', `Nothing listens on the socket ${path}.`, { cause });
      }
      await sleep(pause);
    }
  }
}

async function connectOnce(path: string): Promise<Socket> {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    if (!fstatSync(fd).isSocket()) {
      throw new MullionError('host_unfit', `${path} is not a socket.`, {
        remedy: 'Stop the VPS and start it again',
      });
    }
    return await new Promise((resolve, reject) => {
      const socket = connect({ path: `/proc/self/fd/${fd}`, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(socket);
      });
    });
  } finally {
    closeSync(fd);
  }
}
