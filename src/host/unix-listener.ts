import { chmodSync, closeSync, constants, openSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { O_PATH } from './open-flags.ts';

/** Waits for one connection. */
export interface OneConnection {
  readonly accepted: Promise<Socket>;
  /** Stops waiting and takes the socket away; an accepted connection stays. */
  close(): void;
}

/**
 * A stream socket that anyone who reaches the folder may connect to, once. Nobody else may write to the folder: then no
 * link can take the socket's place. The path may be longer than a socket's address.
 */
export async function listenUnixSocket(folder: string, name: string): Promise<OneConnection> {
  const path = join(folder, name);
  rmSync(path, { force: true });
  const fd = openSync(folder, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const { promise: accepted, resolve, reject } = Promise.withResolvers<Socket>();
  accepted.catch(() => undefined);
  const server = createServer();
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    // The server unlinks its socket by the path below, so that the descriptor outlives it.
    server.close(() => closeSync(fd));
    reject(new Error('nobody connected'));
  };
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    resolve(socket);
    close();
  });
  try {
    await new Promise<void>((listening, failed) => {
      server.once('error', failed);
      server.listen({ path: `/proc/self/fd/${fd}/${name}` }, listening);
    });
    chmodSync(path, 0o666);
  } catch (failure) {
    close();
    throw failure;
  }
  return { accepted, close };
}
