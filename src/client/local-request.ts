import { connect, type Socket } from 'node:net';
import { ByteReader, readBody, readHead } from './http-message.ts';
import type { TransportRequest, TransportResponse } from './transport.ts';

/**
 * One request over a Unix socket, on a connection of its own. The first request of node:http takes three times as
 * long as the whole of this, and most commands make only one or two.
 * @throws what the connection failed with
 */
export async function requestLocally(
  socketPath: string,
  request: TransportRequest,
): Promise<TransportResponse> {
  const socket = connect(socketPath);
  const abort = (): void => void socket.destroy(new Error('aborted'));
  request.signal?.addEventListener('abort', abort, { once: true });
  socket.once('close', () => request.signal?.removeEventListener('abort', abort));
  if (request.signal?.aborted === true) abort();
  try {
    socket.write(renderRequest(request));
    const reader = new ByteReader(piecesOf(socket));
    const head = await readHead(reader);
    const body = closing(socket, readBody(reader, head));
    return { status: head.status, body, text: () => textOf(body) };
  } catch (cause) {
    socket.destroy();
    throw cause;
  }
}

function renderRequest({ method, path, json }: TransportRequest): string {
  const body =
    json === undefined
      ? ''
      : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nhost: mullion\r\nconnection: close\r\n${body}\r\n${json ?? ''}`;
}

async function* piecesOf(socket: Socket): AsyncGenerator<Buffer> {
  for await (const piece of socket) yield Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece));
}

/** Ends the connection when the body has been read, or is wanted no more. */
async function* closing(socket: Socket, body: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    socket.destroy();
  }
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}
