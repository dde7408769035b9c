import { chmodSync, chownSync, readFileSync, rmSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { MullionError } from '../contract/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Engine } from '../engine/contract.ts';
import { createApp } from './app.ts';
import {
  type Authenticate,
  authenticatePeer,
  authenticateToken,
  fixedToken,
  type Peer,
} from './authentication.ts';
import type { ApiLimits } from './limits.ts';
import type { Certificate } from './tls.ts';
import { acceptUpgrades } from './upgrade.ts';

/** Connections that wait to be accepted; over a Unix socket one more is an error at once (unix(7), EAGAIN). */
const BACKLOG = 4096;

/** HTTPS with bearer tokens; paths of PEM files, and of a file that holds one more token of an administrator. */
export interface ListenOptions {
  readonly address: string;
  readonly port: number;
  readonly certificate: string;
  readonly key: string;
  readonly tokenFile?: string | undefined;
}

export interface ServerOptions {
  readonly engine: Engine;
  readonly version: string;
  readonly logger: Logger;
  readonly socketPath: string;
  /** Group whose members may use the socket; absent: root alone. */
  readonly group?: number | undefined;
  readonly identify: (socket: Socket) => Peer;
  readonly listen?: ListenOptions | undefined;
  readonly limits?: Partial<ApiLimits> | undefined;
}

export interface ApiServer {
  /** Ends every connection and removes the socket. */
  close(): Promise<void>;
}

/** Serves the API on the Unix socket, and over TLS when asked for. @throws MullionError `host_unfit` */
export async function startServer(options: ServerOptions): Promise<ApiServer> {
  const { engine, version, logger, socketPath, group, listen, limits } = options;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(closers.splice(0).map((closeOne) => closeOne()));
    rmSync(socketPath, { force: true });
  };
  const add = (authenticate: Authenticate, tls?: Certificate) => {
    const { http, ...shared } = createApp({
      engine,
      version,
      logger,
      authenticate,
      tls,
      limits,
    });
    const endSockets = acceptUpgrades(http.server, { engine, authenticate, ...shared });
    closers.push(async () => {
      endSockets();
      await http.close();
    });
    return http;
  };
  try {
    rmSync(socketPath, { force: true });
    await listenPrivately(add(authenticatePeer(options.identify, group)), socketPath, group);
    if (listen !== undefined) {
      const tls = { key: readFileSync(listen.key), cert: readFileSync(listen.certificate) };
      const fixed = listen.tokenFile === undefined ? undefined : fixedToken(readToken(listen.tokenFile));
      const app = add(
        authenticateToken((token) => fixed?.(token) ?? engine.tokens.verify(token)),
        tls,
      );
      await app.listen({ host: listen.address, port: listen.port, backlog: BACKLOG });
    }
  } catch (failure) {
    await close();
    throw failure;
  }
  return { close };
}

/** The socket is never open to more than it is meant for, not even for a moment. */
async function listenPrivately(
  app: ReturnType<typeof createApp>['http'],
  path: string,
  group: number | undefined,
): Promise<void> {
  const former = process.umask(0o177);
  try {
    await app.listen({ path, backlog: BACKLOG });
  } finally {
    process.umask(former);
  }
  if (group === undefined) return;
  chownSync(path, 0, group);
  chmodSync(path, 0o660);
}

function readToken(path: string): string {
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new MullionError('host_unfit', `The token file ${path} can be read by others.`, {
      remedy: `Run: chmod 600 ${path}`,
    });
  }
  const token = readFileSync(path, 'utf8').trim();
  if (token.length >= 32) return token;
  throw new MullionError('host_unfit', `The token in ${path} is shorter than 32 characters.`, {
    remedy: `Make one with: head -c 32 /dev/urandom | base64 > ${path}`,
  });
}
