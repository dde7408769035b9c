import { CHANNEL, type Channel, type Signal } from '../contract/channels.ts';
import { MullionError } from '../contract/error-table.ts';
import type { ClientMessage, ExecRequest, ServerMessage, Window } from '../contract/streams.ts';
import { isErrorBody } from './error-body.ts';
import type { MessageSocket } from './transport.ts';

/** Where the data of a session goes. False asks for a pause until `resume` is called. */
export type Sink = (channel: Channel, data: Uint8Array) => boolean;

/** A running command or an attached console, seen from the client. */
export interface StreamSession {
  /** Settles when the command runs or the console is joined; never, when it is not. */
  readonly started: Promise<void>;
  /** The command's exit code; for a console 0 when it ends. Rejects with the daemon's error. */
  readonly exit: Promise<number>;
  /** Settles when the data has left this process, so that a fast writer waits for a slow reader. */
  write(data: Uint8Array): Promise<void>;
  endInput(): Promise<void>;
  resize(window: Window): Promise<void>;
  signal(signal: Signal): Promise<void>;
  /** Goes on reading after the sink asked for a pause. */
  resume(): void;
  close(): void;
}

/** Speaks the protocol of contract/channels.ts on an open socket. `request` is absent for a console. */
export function startStreamSession(
  socket: MessageSocket,
  sink: Sink,
  request?: ExecRequest | undefined,
): StreamSession {
  const { promise: exit, resolve, reject } = Promise.withResolvers<number>();
  const { promise: started, resolve: start } = Promise.withResolvers<void>();
  const control = (message: ClientMessage): Promise<void> => socket.send(JSON.stringify(message));
  let ended = false;
  // A send that fails after the end says nothing new: `exit` already tells.
  const quietly = async (sending: Promise<void>): Promise<void> => {
    try {
      await sending;
    } catch (cause) {
      if (!ended) throw cause;
    }
  };

  socket.listen({
    onMessage: (data) => {
      if (typeof data !== 'string') {
        const channel = data[0];
        if (channel !== CHANNEL.stdout && channel !== CHANNEL.stderr) return;
        if (!sink(channel, data.subarray(1))) socket.pause();
        return;
      }
      const message = JSON.parse(data) as ServerMessage;
      if (message.type === 'started') start();
      else if (message.type === 'exit') {
        ended = true;
        resolve(message.code);
      } else if (message.type === 'error' && isErrorBody(message.error)) {
        ended = true;
        reject(MullionError.fromBody(message.error));
      }
    },
    onClose: (code, reason) => {
      ended = true;
      if (request === undefined && code === 1000) resolve(0);
      reject(
        new MullionError(
          'daemon_unreachable',
          `The connection to the daemon ended${reason === '' ? '' : `: ${reason}`}.`,
        ),
      );
    },
  });
  if (request !== undefined) quietly(control({ type: 'exec', request })).catch(reject);

  return {
    started,
    exit,
    write: (data) => {
      const message = new Uint8Array(data.length + 1);
      message[0] = CHANNEL.stdin;
      message.set(data, 1);
      return quietly(socket.send(message));
    },
    endInput: () => quietly(control({ type: 'stdin-end' })),
    resize: (window) => quietly(control({ type: 'resize', window })),
    signal: (signal) => quietly(control({ type: 'signal', signal })),
    resume: () => socket.resume(),
    close: () => socket.close(),
  };
}
