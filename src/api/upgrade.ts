import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { asMullionError, MullionError } from '../contract/errors.ts';
import { ROUTES, type RouteName } from '../contract/routes.ts';
import type { Identity } from '../core/access.ts';
import type { Engine } from '../engine/contract.ts';
import type { Authenticate } from './authentication.ts';
import { replyError } from './error-reply.ts';
import type { SocketRoute } from './handler.ts';
import type { OpenEnds } from './limits.ts';
import { pathParameters, routesOfPath } from './route-match.ts';
import { Session } from './session.ts';
import { serveConsole, serveExec } from './sockets.ts';
import { validate } from './validate.ts';

const MESSAGE_LIMIT = 2 * 1024 * 1024;

export interface UpgradeOptions {
  readonly engine: Engine;
  readonly authenticate: Authenticate;
  readonly openEnds: OpenEnds;
  readonly limitRequests: (identity: Identity) => void;
  readonly tokenCheckMs: number;
}

/** Answers WebSocket upgrades of the routes of transfer `socket`. Returns the way to end every open socket. */
export function acceptUpgrades(server: Server, options: UpgradeOptions): () => void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_LIMIT,
    perMessageDeflate: false,
  });
  server.on('upgrade', (request: IncomingMessage, connection: Duplex, head: Buffer) => {
    connection.on('error', () => connection.destroy());
    admit(options, request).then(
      (serve) => sockets.handleUpgrade(request, connection, head, serve),
      (thrown: unknown) => refuseUpgrade(connection, replyError(thrown)),
    );
  });
  return () => {
    for (const socket of sockets.clients) socket.close(1001, 'the daemon stops');
    sockets.close();
  };
}

/** What serves the socket, once it is known that its client may have it. */
async function admit(
  { engine, authenticate, openEnds, limitRequests, tokenCheckMs }: UpgradeOptions,
  request: IncomingMessage,
): Promise<(socket: WebSocket) => void> {
  const session = new Session(engine, authenticate, request);
  limitRequests(session.identity);
  const target = readTarget(request, session);
  const asked = {
    name: target.route,
    route: ROUTES[target.route],
    params: { name: target.name },
    query: { project: target.project },
    body: undefined,
  };
  let place: Disposable;
  try {
    await session.requireAccess(asked);
    place = openEnds.enter();
  } catch (thrown) {
    session.record(asked, { failure: asMullionError(thrown) });
    throw thrown;
  }
  session.record(asked, { answer: undefined });
  const watch = session.endWithToken(tokenCheckMs);
  const leave = (): void => {
    place[Symbol.dispose]();
    watch[Symbol.dispose]();
  };
  request.socket.once('close', leave);
  if (request.socket.destroyed) leave();
  return (socket) => {
    const { project, name } = target;
    switch (target.route) {
      case 'vps.exec':
        void serveExec(socket, (exec, gone) => engine.vps.exec(project, name, exec, gone));
        return;
      case 'vps.console':
        void serveConsole(socket, () => engine.vps.console(project, name));
        return;
      case 'vps.display':
        void serveConsole(socket, () => engine.vps.display(project, name));
    }
  };
}

interface Target {
  readonly route: SocketRoute;
  readonly project: string;
  readonly name: string;
}

function readTarget(request: IncomingMessage, session: Session): Target {
  const [path = '', search = ''] = (request.url ?? '').split('?');
  const match = routesOfPath(path).find(
    ({ route }) => route.transfer === 'socket' && route.method === request.method,
  );
  if (match === undefined || !isSocketRoute(match.name)) {
    throw new MullionError('unknown_route', `There is no WebSocket route ${path.slice(0, 200)}.`);
  }
  const route = ROUTES[match.name];
  const { name } = validate(route.params, pathParameters(route, path) ?? {}, '');
  const query = session.withProject(route, Object.fromEntries(new URLSearchParams(search)));
  const { project } = validate(route.query, query, '');
  return { route: match.name, project, name };
}

const isSocketRoute = (name: RouteName): name is SocketRoute => ROUTES[name].transfer === 'socket';

function refuseUpgrade(connection: Duplex, error: MullionError): void {
  const body = JSON.stringify({ error: error.toBody() });
  connection.end(
    `HTTP/1.1 ${error.entry.httpStatus} Refused\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
