import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import * as z from 'zod';
import { type ErrorCode, MullionError } from '../contract/errors.ts';
import { ROUTES, type Route, type RouteName } from '../contract/routes.ts';
import type { Logger } from '../core/logger.ts';
import type { Engine } from '../engine/contract.ts';
import type { Authenticate } from './authentication.ts';
import { replyError } from './error-reply.ts';
import { streamEvents } from './events.ts';
import type { Call, PlainRoute, StreamRoute } from './handler.ts';
import { PLAIN_HANDLERS, STREAM_HANDLERS } from './handlers.ts';
import { openApiDocument } from './openapi.ts';
import { routesOfPath } from './route-match.ts';
import { validate } from './validate.ts';

const NO_QUERY = z.strictObject({});
const BODY_LIMIT = 1024 * 1024;
const HEADERS_MS = 15_000;
/** A whole request, a large file included, arrives within this time. */
const REQUEST_MS = 60 * 60_000;
const CONNECTIONS = 4096;
/** How long a body that is too large is read before it is refused. */
const DISCARD_MS = 5_000;

export interface AppOptions {
  readonly engine: Engine;
  readonly version: string;
  readonly logger: Logger;
  readonly authenticate: Authenticate;
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer } | undefined;
  /** True on the Unix socket, whose clients are users of this host. */
  readonly local: boolean;
}

/** The HTTP routes, all made from the route table; not yet listening. */
export function createApp(options: AppOptions): FastifyInstance {
  const shared = {
    bodyLimit: BODY_LIMIT,
    exposeHeadRoutes: false,
    requestTimeout: REQUEST_MS,
    routerOptions: { maxParamLength: 512, ignoreTrailingSlash: false },
    forceCloseConnections: true,
    frameworkErrors: (error: unknown, _request: FastifyRequest, reply: FastifyReply) => {
      sendError(reply, replyError(error));
    },
  } as const;
  const app: FastifyInstance =
    options.tls === undefined
      ? Fastify({ ...shared })
      : (Fastify({
          ...shared,
          https: { ...options.tls, minVersion: 'TLSv1.2' },
        }) as unknown as FastifyInstance);
  app.server.headersTimeout = HEADERS_MS;
  app.server.maxConnections = CONNECTIONS;

  app.addHook('onRequest', async ({ raw }) => options.authenticate(raw));
  app.setErrorHandler(async (error, request, reply) => {
    const known = replyError(error);
    if (known.code === 'body_too_large') await discardBody(request.raw);
    if (known.entry.httpStatus >= 500) {
      options.logger.error('request failed', {
        url: reply.request.url,
        code: known.code,
        error: known.message,
        cause: String(known.cause ?? ''),
      });
    }
    sendError(reply, known);
    return reply;
  });
  app.setNotFoundHandler((request, reply) => sendError(reply, missing(request)));

  const document = openApiDocument(options.version);
  app.get('/v1/openapi.json', async () => document);
  const bytesRoutes: [RouteName, Route][] = [];
  for (const [name, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    if (route.body === 'bytes') bytesRoutes.push([name, route]);
    else addRoute(app, options, name, route);
  }
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    for (const [name, route] of bytesRoutes) addRoute(scope, options, name, route);
  });
  return app;
}

function addRoute(app: FastifyInstance, { engine, local }: AppOptions, name: RouteName, route: Route): void {
  app.route({
    method: route.method,
    url: route.path,
    handler: async (request, reply) => {
      if (route.access === 'local' && !local) throw onlyLocal();
      const call = readCall(route, request, reply);
      reply.code(route.status);
      switch (route.transfer) {
        case 'json':
          return reply.send(await callPlain(engine, name as PlainRoute, call));
        case 'none':
          await callPlain(engine, name as PlainRoute, call);
          return reply.send();
        case 'text':
        case 'bytes':
          reply.type(route.transfer === 'text' ? 'text/plain; charset=utf-8' : 'application/octet-stream');
          return reply.send(await callStream(engine, name as StreamRoute, call));
        case 'events':
          reply.hijack();
          await streamEvents(
            reply.raw,
            engine.events.subscribe(call.query as Call<'events.stream'>['query'], call.signal),
            call.signal,
          );
          return reply;
        case 'socket':
          throw new MullionError('invalid_request', 'This route wants a WebSocket upgrade (RFC 6455).');
      }
    },
  });
}

const onlyLocal = (): MullionError =>
  new MullionError('forbidden', 'This is only for users of the host itself, over its Unix socket.', {
    remedy: 'Run it on the host, or fetch the file yourself and import that',
  });

type AnyCall = Call<RouteName>;
/** The table's types hold handler and call of one route together; the name that joins them is known at run time. */
const callPlain = (engine: Engine, name: PlainRoute, call: AnyCall): Promise<unknown> =>
  (PLAIN_HANDLERS[name] as (engine: Engine, call: AnyCall) => Promise<unknown>)(engine, call);
const callStream = (engine: Engine, name: StreamRoute, call: AnyCall): Promise<Readable> =>
  (STREAM_HANDLERS[name] as (engine: Engine, call: AnyCall) => Promise<Readable>)(engine, call);

function readCall(route: Route, request: FastifyRequest, reply: FastifyReply): AnyCall {
  const gone = new AbortController();
  reply.raw.on('close', () => gone.abort());
  const body = route.body === undefined || route.body === 'bytes' ? undefined : route.body;
  return {
    params: route.params === undefined ? undefined : validate(route.params, request.params, ''),
    query: validate(route.query ?? NO_QUERY, request.query, ''),
    body: body === undefined ? undefined : validate(body, request.body ?? {}, ''),
    content: request.raw,
    signal: gone.signal,
  } as AnyCall;
}

/** A client that still sends would not see an answer: its connection would break first. */
async function discardBody(body: Readable): Promise<void> {
  body.resume();
  await finished(body, { signal: AbortSignal.timeout(DISCARD_MS) }).catch(() => undefined);
}

function missing({ url, method }: FastifyRequest): MullionError {
  const path = url.split('?')[0] ?? '';
  const methods = routesOfPath(path).map(({ route }) => route.method);
  if (methods.length === 0)
    return new MullionError('unknown_route', `There is no route ${path.slice(0, 200)}.`);
  return new MullionError(
    'method_not_allowed',
    `${path} does not take ${method}, only ${methods.join(', ')}.`,
  );
}

function sendError(reply: FastifyReply, error: MullionError): void {
  const code: ErrorCode = error.code;
  if (code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  reply.code(error.entry.httpStatus).type('application/json; charset=utf-8').send({ error: error.toBody() });
}
