import type { Readable } from 'node:stream';
import type {
  RouteBody,
  RouteName,
  RouteParams,
  RouteQuery,
  RouteResponse,
  Routes,
} from '../contract/routes.ts';
import type { Identity } from '../core/access.ts';
import type { Engine } from '../engine/contract.ts';

type NamesOf<T extends string> = { [N in RouteName]: Routes[N]['transfer'] extends T ? N : never }[RouteName];
/** Routes that answer with one JSON document, or with nothing. */
export type PlainRoute = NamesOf<'json' | 'none'>;
/** Routes that answer with a stream of bytes. */
export type StreamRoute = NamesOf<'text' | 'bytes'>;
export type SocketRoute = NamesOf<'socket'>;

/** A request that fits its route's schemas, defaults filled in. */
export interface Call<N extends RouteName> {
  readonly params: RouteParams<N>;
  readonly query: RouteQuery<N>;
  readonly body: RouteBody<N>;
  /** The raw body of a route that takes bytes. */
  readonly content: Readable;
  readonly identity: Identity;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

export type PlainHandlers<N extends PlainRoute = PlainRoute> = {
  readonly [K in N]: (engine: Engine, call: Call<K>) => Promise<RouteResponse<K>>;
};
export type StreamHandlers = {
  readonly [K in StreamRoute]: (engine: Engine, call: Call<K>) => Promise<Readable>;
};
/** The names of a noun's plain routes: `PlainRoutesOf<'vps'>`. */
export type PlainRoutesOf<Noun extends string> = Extract<PlainRoute, `${Noun}.${string}`>;
