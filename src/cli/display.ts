import { chmodSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { startStreamSession } from '../client/stream-session.ts';
import type { MessageSocket } from '../client/transport.ts';
import { MullionError } from '../contract/error-table.ts';

/** Where a viewer finds the screen: a port of this machine, or a socket that only its owner may open. */
export type Place = { readonly port: number } | { readonly socket: string };

export interface Bridge {
  /** As a viewer is told it: host::port, or the path of the socket. */
  readonly address: string;
  close(): Promise<void>;
}

/** Joins each viewer that connects to a display of its own. `onFailure` hears of the one that could not be joined. */
export async function openBridge(
  place: Place,
  connect: () => Promise<MessageSocket>,
  onFailure: (failure: unknown) => void,
): Promise<Bridge> {
  const viewers = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (viewer) => {
    viewers.add(viewer);
    viewer.on('close', () => viewers.delete(viewer));
    viewer.on('error', () => viewer.destroy());
    join(viewer, connect).catch(onFailure);
  });
  await listen(server, place);
  return {
    address: 'socket' in place ? place.socket : `127.0.0.1::${portOf(server)}`,
    close: async () => {
      for (const viewer of viewers) viewer.destroy();
      await new Promise((resolve) => server.close(resolve));
      if ('socket' in place) await rm(place.socket, { force: true });
    },
  };
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

function listen(server: Server, place: Place): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error): void => {
      const where = 'socket' in place ? place.socket : `port ${place.port}`;
      reject(
        new MullionError('in_use', `A viewer cannot be waited for on ${where}: ${cause.message}`, {
          remedy: 'Choose another with --port or --socket',
          cause,
        }),
      );
    };
    server.once('error', refuse);
    const ready = (): void => {
      server.off('error', refuse);
      resolve();
    };
    if ('port' in place) {
      server.listen({ host: '127.0.0.1', port: place.port }, ready);
      return;
    }
    const before = process.umask(0o077);
    try {
      server.listen({ path: place.socket }, () => {
        chmodSync(place.socket, 0o600);
        ready();
      });
    } finally {
      process.umask(before);
    }
  });
}

async function join(viewer: Socket, connect: () => Promise<MessageSocket>): Promise<void> {
  try {
    const session = startStreamSession(await connect(), (_channel, data) => {
      if (viewer.destroyed || viewer.write(data)) return true;
      viewer.once('drain', () => session.resume());
      return false;
    });
    viewer.on('close', () => session.close());
    await Promise.race([session.exit, sendAll(viewer, session.write)]);
  } finally {
    viewer.destroy();
  }
}

async function sendAll(viewer: Socket, write: (data: Uint8Array) => Promise<void>): Promise<void> {
  try {
    for await (const piece of viewer) await write(piece);
  } catch (cause) {
    // A viewer that goes away needs no words.
    if (!viewer.destroyed) throw cause;
  }
}
