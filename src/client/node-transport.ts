import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { asMullionError, MullionError } from '../contract/error-table.ts';
import { requestLocally } from './local-request.ts';
import type { Transport, TransportRequest, TransportResponse } from './transport.ts';

export interface NodeTarget {
  /** Path of the daemon's Unix socket; else `url` is used. */
  readonly socketPath?: string | undefined;
  /** `https://host:port` of a daemon that listens on the network. */
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  /** PEM text of the authority that signed the daemon's certificate. */
  readonly authority?: string | undefined;
}

/** Requests over a Unix socket or HTTPS. Connections are kept for the next request and do not keep the process. */
export function createNodeTransport(target: NodeTarget): Transport {
  const address = target.socketPath ?? target.url ?? '';
  let viaHttp: ((request: TransportRequest) => Promise<TransportResponse>) | undefined;
  return {
    address,
    request: async (request) => {
      if (target.socketPath === undefined || request.content !== undefined) {
        viaHttp ??= createHttpRequester(target, address);
        return viaHttp(request);
      }
      try {
        return await requestLocally(target.socketPath, request);
      } catch (cause) {
        throw unreachable(cause, address);
      }
    },
    openSocket: async (path) => {
      const { openNodeSocket } = await import('./node-socket.ts');
      return openNodeSocket(target, path);
    },
  };
}

function createHttpRequester(
  target: NodeTarget,
  address: string,
): (request: TransportRequest) => Promise<TransportResponse> {
  const base = connectionOptions(target);
  const secure = target.socketPath === undefined;
  // `import` of these would read each of their lazy exports, which loads undici.
  const http = process.getBuiltinModule('node:http');
  const https = process.getBuiltinModule('node:https');
  const agent = secure ? new https.Agent({ keepAlive: true }) : new http.Agent({ keepAlive: true });
  return (request) =>
    new Promise((resolve, reject) => {
      const options: RequestOptions = {
        ...base,
        agent,
        method: request.method,
        path: request.path,
        headers: { ...base.headers, ...bodyHeaders(request) },
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      };
      const outgoing = secure ? https.request(options) : http.request(options);
      outgoing.on('response', (incoming) => resolve(toResponse(incoming, address)));
      outgoing.on('error', (cause) => reject(unreachable(cause, address)));
      sendBody(outgoing, request).catch((cause: unknown) =>
        outgoing.destroy(cause instanceof Error ? cause : new Error(String(cause))),
      );
    });
}

function connectionOptions(target: NodeTarget): RequestOptions & { headers: Record<string, string> } {
  if (target.socketPath !== undefined) {
    return { socketPath: target.socketPath, headers: { host: 'mullion' } };
  }
  const url = new URL(target.url ?? '');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 443 : Number(url.port),
    headers: target.token === undefined ? {} : { authorization: `Bearer ${target.token}` },
    ...(target.authority === undefined ? {} : { ca: target.authority }),
  };
}

function bodyHeaders(request: TransportRequest): Record<string, string> {
  if (request.json !== undefined) {
    return {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(request.json)),
    };
  }
  return request.content === undefined ? {} : { 'content-type': 'application/octet-stream' };
}

async function sendBody(outgoing: ClientRequest, request: TransportRequest): Promise<void> {
  if (request.content !== undefined) {
    for await (const piece of request.content) {
      if (outgoing.destroyed) return;
      if (!outgoing.write(piece)) await drained(outgoing);
    }
    outgoing.end();
  } else {
    outgoing.end(request.json);
  }
}

/** Waits until more can be written, or until nothing ever will be. */
function drained(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done);
      outgoing.off('close', done);
      resolve();
    };
    outgoing.on('drain', done);
    outgoing.on('close', done);
  });
}

function toResponse(incoming: IncomingMessage, address: string): TransportResponse {
  return {
    status: incoming.statusCode ?? 0,
    body: incoming,
    text: async () => {
      incoming.setEncoding('utf8');
      let text = '';
      try {
        for await (const piece of incoming) text += String(piece);
      } catch (cause) {
        throw unreachable(cause, address);
      }
      return text;
    },
  };
}

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ECONNRESET',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** A failure of the connection, as the error that names its remedy. */
export function unreachable(cause: unknown, address: string): MullionError {
  if (cause instanceof MullionError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'EACCES' || code === 'EPERM') {
    return new MullionError('forbidden', `You may not use the daemon's socket ${address}.`, {
      remedy: 'Use sudo, or ask an administrator to add you to the group mullion',
      cause,
    });
  }
  if (UNREACHABLE.has(code)) {
    const lost = code === 'ECONNRESET' || code === 'EPIPE';
    return new MullionError(
      'daemon_unreachable',
      lost ? `The daemon at ${address} went away (${code}).` : `No daemon answers at ${address} (${code}).`,
      { cause },
    );
  }
  if (/CERT|SSL|TLS/.test(code)) {
    return new MullionError('daemon_unreachable', `The certificate of ${address} is not trusted (${code}).`, {
      remedy: 'Name the file of its authority in MULLION_CA_FILE',
      cause,
    });
  }
  return asMullionError(cause);
}
