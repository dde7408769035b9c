import { WebSocket } from 'ws';
import { asMullionError } from '../contract/error-table.ts';
import { errorOfBody } from './error-body.ts';
import { type NodeTarget, unreachable } from './node-transport.ts';
import type { MessageSocket } from './transport.ts';

/** Largest message accepted from a daemon, in bytes. */
const MAXIMUM_MESSAGE = 4 * 1024 * 1024;

/** Opens a WebSocket (RFC 6455) over the same connection kinds as requests. */
export function openNodeSocket(target: NodeTarget, path: string): Promise<MessageSocket> {
  const address = target.socketPath ?? target.url ?? '';
  const url =
    target.socketPath === undefined
      ? `${(target.url ?? '').replace(/^https:/, 'wss:').replace(/\/$/, '')}${path}`
      : `ws+unix:${target.socketPath}:${path}`;
  const socket = new WebSocket(url, {
    maxPayload: MAXIMUM_MESSAGE,
    perMessageDeflate: false,
    ...(target.token === undefined ? {} : { headers: { authorization: `Bearer ${target.token}` } }),
    ...(target.authority === undefined ? {} : { ca: target.authority }),
  });
  socket.binaryType = 'nodebuffer';
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(wrap(socket)));
    socket.on('error', (cause) => reject(unreachable(cause, address)));
    socket.on('unexpected-response', (_request, response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => {
        reject(errorOfBody(response.statusCode ?? 0, text));
        // ws leaves a refused connection to its listener; it would keep the process until it times out.
        socket.terminate();
      });
      response.on('error', (cause) => reject(unreachable(cause, address)));
    });
  });
}

function wrap(socket: WebSocket): MessageSocket {
  // Nothing may be lost between the opening and the listener.
  socket.pause();
  return {
    send: (data) =>
      new Promise((resolve, reject) => {
        socket.send(data, (cause) => (cause == null ? resolve() : reject(asMullionError(cause))));
      }),
    listen: (listener) => {
      socket.on('message', (data, binary) => {
        const bytes = Buffer.isBuffer(data)
          ? data
          : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]);
        listener.onMessage(binary ? bytes : bytes.toString('utf8'));
      });
      socket.on('close', (code, reason) => listener.onClose(code, reason.toString('utf8')));
      socket.resume();
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    // Whoever closes has what it wanted: a server that does not answer the close must not hold the process.
    close: () => socket.terminate(),
  };
}
