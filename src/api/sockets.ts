import type { Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { CHANNEL, type Channel } from '../contract/channels.ts';
import { asMullionError, MullionError } from '../contract/errors.ts';
import {
  type ClientMessage,
  ClientMessageSchema,
  type ExecRequest,
  type ServerMessage,
} from '../contract/streams.ts';
import type { ConsoleStream, ExecSession } from '../engine/contract.ts';

const PING_MS = 30_000;
/** The client's first message of `exec` has to come within this time. */
const HELLO_MS = 10_000;
/** Bytes of input that are kept while a command has not begun, and what a message counts besides its own. */
const HELD_LIMIT = 256 * 1024;
const MESSAGE_COST = 256;

/** Runs one command for the client of this socket. */
export async function serveExec(
  socket: WebSocket,
  start: (request: ExecRequest, gone: AbortSignal) => Promise<ExecSession>,
): Promise<void> {
  const stopPinging = keepAlive(socket);
  const inbox = collect(socket);
  let session: ExecSession | undefined;
  try {
    const hello = parseMessage((await inbox.first).data);
    if (hello.type !== 'exec') {
      throw new MullionError('invalid_request', 'The first message must be of type exec.');
    }
    session = await start(hello.request, inbox.gone);
    const running = session;
    socket.on('close', () => running.close());
    if (socket.readyState !== socket.OPEN) return;
    running.stdin.on('error', () => undefined);
    send(socket, { type: 'started' });
    inbox.deliver(({ data, isBinary }) => onExecMessage(socket, running, data, isBinary));
    await Promise.all([
      pump(socket, running.stdout, CHANNEL.stdout),
      running.stderr === undefined ? undefined : pump(socket, running.stderr, CHANNEL.stderr),
    ]);
    send(socket, { type: 'exit', code: await running.exit });
    socket.close(1000);
  } catch (thrown) {
    refuse(socket, thrown);
  } finally {
    session?.close();
    stopPinging();
  }
}

interface Message {
  readonly data: RawData;
  readonly isBinary: boolean;
}

/**
 * Keeps what comes until somebody takes it: several messages may arrive at once, before the command runs. `gone` is aborted
 * when the client leaves, as far as it is read from.
 */
function collect(socket: WebSocket): {
  readonly first: Promise<Message>;
  readonly gone: AbortSignal;
  deliver(receive: (message: Message) => void): void;
} {
  const waiting: Message[] = [];
  let held = 0;
  const leaving = new AbortController();
  const { promise: first, resolve, reject } = Promise.withResolvers<Message>();
  let receiver: ((message: Message) => void) | undefined;
  let greeted = false;
  const timer = setTimeout(
    () => reject(new MullionError('timeout', 'The first message did not come in time.')),
    HELLO_MS,
  );
  socket.on('close', () => {
    const gone = new MullionError('cancelled', 'The client has gone.');
    reject(gone);
    leaving.abort(gone);
  });
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (receiver !== undefined) {
      receiver({ data, isBinary });
    } else if (greeted) {
      waiting.push({ data, isBinary });
      held += MESSAGE_COST + bytesOf(data).length;
      if (held > HELD_LIMIT) socket.pause();
    } else {
      greeted = true;
      clearTimeout(timer);
      resolve({ data, isBinary });
    }
  });
  return {
    first,
    gone: leaving.signal,
    deliver: (receive) => {
      receiver = receive;
      for (const message of waiting.splice(0)) receive(message);
      socket.resume();
    },
  };
}

/** Joins the client of this socket to a console. */
export async function serveConsole(socket: WebSocket, open: () => Promise<ConsoleStream>): Promise<void> {
  const stopPinging = keepAlive(socket);
  let terminal: ConsoleStream | undefined;
  try {
    socket.pause();
    terminal = await open();
    const attached = terminal;
    socket.on('close', () => attached.destroy());
    attached.on('error', () => undefined);
    socket.on('message', (data: RawData, isBinary: boolean) => {
      onConsoleMessage(socket, attached, data, isBinary);
    });
    send(socket, { type: 'started' });
    socket.resume();
    await pump(socket, attached, CHANNEL.stdout);
    socket.close(1000);
  } catch (thrown) {
    refuse(socket, thrown);
  } finally {
    terminal?.destroy();
    stopPinging();
  }
}

function onConsoleMessage(
  socket: WebSocket,
  terminal: ConsoleStream,
  data: RawData,
  isBinary: boolean,
): void {
  try {
    if (isBinary) {
      writeInput(socket, terminal, bytesOf(data));
      return;
    }
    const message = parseMessage(data);
    if (message.type === 'resize') terminal.resize?.(message.window);
  } catch (thrown) {
    refuse(socket, thrown);
  }
}

function onExecMessage(socket: WebSocket, session: ExecSession, data: RawData, isBinary: boolean): void {
  try {
    if (isBinary) {
      writeInput(socket, session.stdin, bytesOf(data));
      return;
    }
    const message = parseMessage(data);
    switch (message.type) {
      case 'stdin-end':
        session.stdin.end();
        return;
      case 'resize':
        session.resize(message.window);
        return;
      case 'signal':
        session.signal(message.signal);
        return;
      case 'exec':
        throw new MullionError('invalid_request', 'The command runs already.');
    }
  } catch (thrown) {
    refuse(socket, thrown);
  }
}

/** Input waits in the client while the guest does not read. */
function writeInput(socket: WebSocket, input: Writable, message: Buffer): void {
  if (message[0] !== CHANNEL.stdin || input.writableEnded || input.destroyed) return;
  if (!input.write(message.subarray(1))) {
    socket.pause();
    const goOn = (): void => {
      input.off('drain', goOn);
      input.off('close', goOn);
      socket.resume();
    };
    input.on('drain', goOn);
    input.on('close', goOn);
  }
}

/** Output waits in the guest while the client does not read. */
async function pump(socket: WebSocket, output: Readable, channel: Channel): Promise<void> {
  for await (const chunk of output) {
    if (socket.readyState !== socket.OPEN) return;
    const message = Buffer.concat([Buffer.from([channel]), Buffer.from(chunk)]);
    await new Promise<void>((resolve) => {
      socket.send(message, () => resolve());
    });
  }
}

function parseMessage(data: RawData): ClientMessage {
  const result = ClientMessageSchema.safeParse(parseJson(bytesOf(data).toString('utf8')));
  if (result.success) return result.data;
  throw new MullionError('invalid_request', result.error.issues[0]?.message ?? 'The message fits no schema.');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MullionError('invalid_request', 'The message is not JSON.', { cause });
  }
}

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

function send(socket: WebSocket, message: ServerMessage): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
}

function refuse(socket: WebSocket, thrown: unknown): void {
  // A paused socket would never read the client's answer to the close.
  socket.resume();
  send(socket, { type: 'error', error: asMullionError(thrown).toBody() });
  socket.close(1011);
}

/** Ends the connection of a client that has silently gone. */
function keepAlive(socket: WebSocket): () => void {
  let answered = true;
  socket.on('pong', () => {
    answered = true;
  });
  socket.on('error', () => socket.terminate());
  const timer = setInterval(() => {
    // What is not read from cannot be heard to answer.
    if (!(answered || socket.isPaused)) socket.terminate();
    answered = false;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, PING_MS);
  // Whatever the session still waits for: nobody is left to be asked.
  socket.on('close', () => clearInterval(timer));
  return () => clearInterval(timer);
}
