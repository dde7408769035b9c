import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { MullionError } from '../contract/errors.ts';
import { ROUTES } from '../contract/routes.ts';
import type { Engine } from '../engine/contract.ts';
import type { Authenticate } from './authentication.ts';
import { replyError } from './error-reply.ts';
import { pathParameters, routesOfPath } from './route-match.ts';
import { serveConsole, serveExec } from './sockets.ts';
import { validate } from './validate.ts';

const MESSAGE_LIMIT = 2 * 1024 * 1024;

/** Answers WebSocket upgrades of the routes of transfer `socket`. Returns the way to end every open socket. */
export function acceptUpgrades(server: Server, engine: Engine, authenticate: Authenticate): () => void {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_LIMIT,
    perMessageDeflate: false,
  });
  server.on('upgrade', (request: IncomingMessage, connection: Duplex, head: Buffer) => {
    connection.on('error', () => connection.destroy());
    try {
      authenticate(request);
      const target = readTarget(request);
      sockets.handleUpgrade(request, connection, head, (socket) => {
        const { project, name } = target;
        if (target.route === 'vps.exec') {
          void serveExec(socket, (exec) => engine.vps.exec(project, name, exec));
        } else {
          void serveConsole(socket, () => engine.vps.console(project, name));
        }
      });
    } catch (thrown) {
      refuseUpgrade(connection, replyError(thrown));
    }
  });
  return () => {
    for (const socket of sockets.clients) socket.close(1001, 'the daemon stops');
    sockets.close();
  };
}

interface Target {
  readonly route: 'vps.exec' | 'vps.console';
  readonly project: string;
  readonly name: string;
}

function readTarget(request: IncomingMessage): Target {
  const [path = '', search = ''] = (request.url ?? '').split('?');
  const match = routesOfPath(path).find(
    ({ route }) => route.transfer === 'socket' && route.method === request.method,
  );
  if (match === undefined || (match.name !== 'vps.exec' && match.name !== 'vps.console')) {
    throw new MullionError('unknown_route', `There is no WebSocket route ${path.slice(0, 200)}.`);
  }
  const route = ROUTES[match.name];
  const { name } = validate(route.params, pathParameters(route, path) ?? {}, '');
  const { project } = validate(route.query, Object.fromEntries(new URLSearchParams(search)), '');
  return { route: match.name, project, name };
}

function refuseUpgrade(connection: Duplex, error: MullionError): void {
  const body = JSON.stringify({ error: error.toBody() });
  connection.end(
    `HTTP/1.1 ${error.entry.httpStatus} Refused\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
