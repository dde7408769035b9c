import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import * as z from 'zod';
import { asMullionError, type ErrorCode, MullionError } from '../contract/errors.ts';
import { ROUTES, type Route, type RouteName } from '../contract/routes.ts';
import type { Identity } from '../core/access.ts';
import type { Logger } from '../core/logger.ts';
import type { Engine } from '../engine/contract.ts';
import type { Authenticate } from './authentication.ts';
import { replyError } from './error-reply.ts';
import { streamEvents } from './events.ts';
import type { Call, PlainRoute, StreamRoute } from './handler.ts';
import { PLAIN_HANDLERS, STREAM_HANDLERS } from './handlers.ts';
import { API_LIMITS, type ApiLimits, limitAddresses, OpenEnds, requestLimiter } from './limits.ts';
import { openApiDocument } from './openapi.ts';
import { routesOfPath } from './route-match.ts';
import { type Asked, Session } from './session.ts';
import { endSlowBodies } from './slow-bodies.ts';
import { type Certificate, tlsOptions } from './tls.ts';
import { validate } from './validate.ts';

const NO_QUERY = z.strictObject({});
const BODY_LIMIT = 1024 * 1024;
const REQUESTS = 'mullion_api_requests_total';
const HEADERS_MS = 15_000;
/** A whole request, a large file included, arrives within this time. */
const REQUEST_MS = 60 * 60_000;
const YEAR_S = 31_536_000;
/** How often the times of headers and requests are looked at. */
const CHECK_MS = 5_000;
const KEEP_ALIVE_MS = 15_000;
/** How long a body that is too large is read before it is refused. */
const DISCARD_MS = 5_000;

export interface AppOptions {
  readonly engine: Engine;
  readonly version: string;
  readonly logger: Logger;
  readonly authenticate: Authenticate;
  readonly tls?: Certificate | undefined;
  readonly limits?: Partial<ApiLimits> | undefined;
}

/** The routes and what they share with WebSocket upgrades; not yet listening. */
export interface App {
  readonly http: FastifyInstance;
  readonly openEnds: OpenEnds;
  readonly limitRequests: (identity: Identity) => void;
  readonly tokenCheckMs: number;
}

/** The HTTP routes, all made from the route table. */
export function createApp(options: AppOptions): App {
  const limits = { ...API_LIMITS, ...options.limits };
  const limitRequests = requestLimiter(limits);
  const openEnds = new OpenEnds(limits.openEnds);
  const sessions = new WeakMap<FastifyRequest, Session>();
  const shared = {
    bodyLimit: BODY_LIMIT,
    exposeHeadRoutes: false,
    requestTimeout: REQUEST_MS,
    routerOptions: { maxParamLength: 512, ignoreTrailingSlash: false },
    forceCloseConnections: true,
    keepAliveTimeout: KEEP_ALIVE_MS,
    frameworkErrors: (error: unknown, _request: FastifyRequest, reply: FastifyReply) => {
      sendError(reply, replyError(error));
    },
  } as const;
  const app: FastifyInstance =
    options.tls === undefined
      ? Fastify({ ...shared, http: { connectionsCheckingInterval: CHECK_MS } })
      : (Fastify({
          ...shared,
          https: { ...tlsOptions(options.tls), connectionsCheckingInterval: CHECK_MS },
        }) as unknown as FastifyInstance);
  app.server.headersTimeout = HEADERS_MS;
  app.server.maxConnections = limits.connections;
  limitAddresses(app.server, limits.connectionsOfAddress);

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store');
    if (options.tls !== undefined) reply.header('strict-transport-security', `max-age=${YEAR_S}`);
    const session = new Session(options.engine, options.authenticate, request.raw);
    limitRequests(session.identity);
    sessions.set(request, session);
    untilClosed(reply, session.endWithToken(limits.tokenCheckMs));
  });
  endSlowBodies(app, (method, url) => files.has(`${method} ${url}`), limits);
  const { counters } = options.engine;
  counters.declare(REQUESTS, 'requests that were answered, by route and status');
  app.addHook('onResponse', async ({ method, routeOptions }, { statusCode }) => {
    const path = routeOptions.url ?? 'none';
    counters.add(REQUESTS, { method, path, status: String(statusCode) });
  });
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

  let document: ReturnType<typeof openApiDocument> | undefined;
  // Made when it is first asked for: that takes a tenth of a daemon's start.
  app.get('/v1/openapi.json', async () => {
    document ??= openApiDocument(options.version);
    return document;
  });
  const serve = {
    engine: options.engine,
    openEnds,
    sessionOf: (request: FastifyRequest) => sessions.get(request),
  };
  const files = new Set<string>();
  const bytesRoutes: [RouteName, Route][] = [];
  for (const [name, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    if (route.body === 'bytes') {
      bytesRoutes.push([name, route]);
      files.add(`${route.method} ${route.path}`);
    } else addRoute(app, serve, name, route);
  }
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    for (const [name, route] of bytesRoutes) addRoute(scope, serve, name, route);
  });
  return { http: app, openEnds, limitRequests, tokenCheckMs: limits.tokenCheckMs };
}

interface Serving {
  readonly engine: Engine;
  readonly openEnds: OpenEnds;
  readonly sessionOf: (request: FastifyRequest) => Session | undefined;
}

function addRoute(app: FastifyInstance, serving: Serving, name: RouteName, route: Route): void {
  app.route({
    method: route.method,
    url: route.path,
    handler: async (request, reply) => {
      const session = serving.sessionOf(request);
      if (session === undefined) throw new MullionError('unauthenticated', "The request is nobody's.");
      const call = readCall(route, session, request, reply);
      const asked: Asked = { name, route, ...call };
      try {
        await session.requireAccess(asked);
        if (isLong(name, route)) untilClosed(reply, serving.openEnds.enter());
        const answer = await answerCall(serving.engine, name, route, call, reply);
        session.record(asked, { answer });
        return answer;
      } catch (thrown) {
        session.record(asked, { failure: asMullionError(thrown) });
        throw thrown;
      }
    },
  });
}

/** Whether a request lasts as long as its client wants. Metrics are whole at once, and a monitor must get them. */
const isLong = (name: RouteName, { transfer, body }: Route): boolean =>
  body === 'bytes' ||
  transfer === 'events' ||
  ((transfer === 'bytes' || transfer === 'text') && name !== 'metrics.read');

function untilClosed({ raw }: FastifyReply, held: Disposable): void {
  raw.once('close', () => held[Symbol.dispose]());
  if (raw.destroyed) held[Symbol.dispose]();
}

async function answerCall(
  engine: Engine,
  name: RouteName,
  route: Route,
  call: AnyCall,
  reply: FastifyReply,
): Promise<unknown> {
  reply.code(route.status);
  switch (route.transfer) {
    case 'json':
      return callPlain(engine, name as PlainRoute, call);
    case 'none':
      await callPlain(engine, name as PlainRoute, call);
      return undefined;
    case 'text':
    case 'bytes':
      reply.type(route.transfer === 'text' ? 'text/plain; charset=utf-8' : 'application/octet-stream');
      return callStream(engine, name as StreamRoute, call);
    case 'events': {
      reply.hijack();
      const events = engine.events.subscribe(call.query as Call<'events.stream'>['query'], call.signal);
      await streamEvents(reply.raw, events, call.signal);
      return reply;
    }
    case 'socket':
      throw new MullionError('invalid_request', 'This route wants a WebSocket upgrade (RFC 6455).');
  }
}

type AnyCall = Call<RouteName>;
/** The table's types hold handler and call of one route together; the name that joins them is known at run time. */
const callPlain = (engine: Engine, name: PlainRoute, call: AnyCall): Promise<unknown> =>
  (PLAIN_HANDLERS[name] as (engine: Engine, call: AnyCall) => Promise<unknown>)(engine, call);
const callStream = (engine: Engine, name: StreamRoute, call: AnyCall): Promise<Readable> =>
  (STREAM_HANDLERS[name] as (engine: Engine, call: AnyCall) => Promise<Readable>)(engine, call);

function readCall(route: Route, session: Session, request: FastifyRequest, reply: FastifyReply): AnyCall {
  const gone = new AbortController();
  reply.raw.on('close', () => gone.abort());
  const body = route.body === undefined || route.body === 'bytes' ? undefined : route.body;
  return {
    params: route.params === undefined ? undefined : validate(route.params, request.params, ''),
    query: validate(route.query ?? NO_QUERY, session.withProject(route, request.query), ''),
    body: body === undefined ? undefined : validate(body, request.body ?? {}, ''),
    content: request.raw,
    identity: session.identity,
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
  if (code === 'too_many_requests') reply.header('retry-after', '1');
  if (code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  reply.code(error.entry.httpStatus).type('application/json; charset=utf-8').send({ error: error.toBody() });
}
