import { MullionError } from '../contract/error-table.ts';
import type {
  RouteBodyInput,
  RouteName,
  RouteParamsInput,
  RouteQueryInput,
  RouteResponse,
  Routes,
} from '../contract/routes.ts';
import type { Event } from '../contract/tasks.ts';
import { endpointPath } from './endpoint-path.ts';
import { ENDPOINTS } from './endpoints.ts';
import { errorOfBody } from './error-body.ts';
import { readEvents } from './event-stream.ts';
import type { MessageSocket, Transport, TransportResponse } from './transport.ts';

/** Names of the routes whose answer travels in one of the given ways. */
export type RoutesThat<T extends string> = {
  [N in RouteName]: Routes[N]['transfer'] extends T ? N : never;
}[RouteName];

/** Names of the routes whose request is a stream of bytes. */
export type RoutesOfBytes = {
  [N in RouteName]: Routes[N] extends { readonly body: 'bytes' } ? N : never;
}[RouteName];

type Optional<K extends string, T> = [T] extends [undefined]
  ? { readonly [P in K]?: undefined }
  : Record<never, never> extends T
    ? { readonly [P in K]?: T }
    : { readonly [P in K]: T };

/** What a call of the route takes; parts with defaults may be left out. */
export type CallInput<N extends RouteName> = Optional<'params', RouteParamsInput<N>> &
  Optional<'query', RouteQueryInput<N>> &
  (Routes[N] extends { readonly body: 'bytes' }
    ? { readonly body?: undefined }
    : Optional<'body', RouteBodyInput<N>>) & { readonly signal?: AbortSignal | undefined };

type Arguments<N extends RouteName> =
  Record<never, never> extends CallInput<N> ? [input?: CallInput<N>] : [input: CallInput<N>];

interface AnyInput {
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** The API, typed by the route table. Every call throws MullionError. */
export interface Client {
  readonly address: string;
  call<N extends RoutesThat<'json' | 'none'>>(name: N, ...input: Arguments<N>): Promise<RouteResponse<N>>;
  /** The body of a `text` or `bytes` route, in pieces. */
  stream<N extends RoutesThat<'text' | 'bytes'>>(
    name: N,
    ...input: Arguments<N>
  ): Promise<AsyncIterable<Uint8Array>>;
  upload<N extends RoutesOfBytes>(
    name: N,
    input: CallInput<N>,
    content: AsyncIterable<Uint8Array>,
  ): Promise<void>;
  events(...input: Arguments<'events.stream'>): Promise<AsyncIterable<Event>>;
  socket<N extends RoutesThat<'socket'>>(name: N, ...input: Arguments<N>): Promise<MessageSocket>;
}

export function createClient(transport: Transport): Client {
  const send = async (
    name: RouteName,
    input: AnyInput = {},
    content?: AsyncIterable<Uint8Array>,
  ): Promise<TransportResponse> => {
    const endpoint = ENDPOINTS[name];
    const response = await transport.request({
      method: endpoint.method,
      path: endpointPath(endpoint.path, input.params, input.query),
      json: input.body === undefined ? undefined : JSON.stringify(input.body),
      content,
      signal: input.signal,
    });
    if (response.status >= 400) throw errorOfBody(response.status, await response.text());
    return response;
  };

  return {
    address: transport.address,
    call: async (name, ...[input]) => {
      const response = await send(name, input);
      const text = await response.text();
      // The daemon made this document from the same route table; checking it again would load every schema.
      return (text === '' ? undefined : parseDocument(text)) as never;
    },
    stream: async (name, ...[input]) => (await send(name, input)).body,
    upload: async (name, input, content) => {
      await (await send(name, input, content)).text();
    },
    events: async (...[input]) => readEvents((await send('events.stream', input)).body),
    socket: (name, ...[input]) => {
      const { params, query }: AnyInput = input ?? {};
      return transport.openSocket(endpointPath(ENDPOINTS[name].path, params, query));
    },
  };
}

function parseDocument(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MullionError('internal', 'The daemon answered with something that is not JSON.', { cause });
  }
}
