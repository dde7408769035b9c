import type { Transfer } from '../contract/routes.ts';

/** One request, before it is known how it travels. `path` is already encoded and has its query. */
export interface TransportRequest {
  readonly method: string;
  readonly path: string;
  readonly json?: string | undefined;
  /** A raw body; sent as application/octet-stream. */
  readonly content?: AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TransportResponse {
  readonly status: number;
  text(): Promise<string>;
  /** The body in pieces as they come; ending the iteration early ends the connection. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** What carries requests: a Unix socket or HTTPS under Node, fetch in a browser. */
export interface Transport {
  /** For people: where it leads. */
  readonly address: string;
  request(request: TransportRequest): Promise<TransportResponse>;
  openSocket(path: string): Promise<MessageSocket>;
}

/** A WebSocket, reduced to what the stream protocol needs. */
export interface MessageSocket {
  /** Settles when the message has left this process. */
  send(data: Uint8Array | string): Promise<void>;
  listen(listener: {
    onMessage(data: Uint8Array | string): void;
    onClose(code: number, reason: string): void;
  }): void;
  /** Stops reading from the network until `resume`. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** The part of a route that a client needs, without its schemas. */
export interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly transfer: Transfer;
}
