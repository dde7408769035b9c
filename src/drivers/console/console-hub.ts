import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** What an attached terminal may lag behind, in bytes, before it misses some of the output. */
const LAG_LIMIT = 256 * 1024;

interface Line {
  readonly socket: Promise<Socket>;
  readonly terminals: Set<Duplex>;
}

/** Shares a machine's one console connection between any number of terminals; it lasts while one is attached. */
export class ConsoleHub {
  readonly #connect: () => Promise<Socket>;
  #line: Line | undefined;

  constructor(connect: () => Promise<Socket>) {
    this.#connect = connect;
  }

  async attach(): Promise<Duplex> {
    this.#line ??= this.#open();
    const line = this.#line;
    const socket = await line.socket;
    const terminal: Duplex = new Duplex({
      read: () => undefined,
      write: (chunk, _encoding, done) => {
        if (socket.destroyed) done();
        else socket.write(chunk, () => done());
      },
      destroy: (failure, done) => {
        line.terminals.delete(terminal);
        if (line.terminals.size === 0) {
          if (this.#line === line) this.#line = undefined;
          socket.destroy();
        }
        done(failure);
      },
    });
    line.terminals.add(terminal);
    if (socket.destroyed) terminal.push(null);
    return terminal;
  }

  close(): void {
    for (const terminal of this.#line?.terminals ?? []) terminal.destroy();
  }

  #open(): Line {
    const terminals = new Set<Duplex>();
    const line: Line = { socket: this.#connect(), terminals };
    const forget = (): void => {
      if (this.#line === line) this.#line = undefined;
    };
    line.socket.then((socket) => {
      socket.on('data', (chunk) => {
        for (const terminal of terminals) {
          if (terminal.readableLength < LAG_LIMIT) terminal.push(chunk);
        }
      });
      socket.on('error', () => undefined);
      socket.on('end', () => socket.destroy());
      socket.on('close', () => {
        forget();
        for (const terminal of terminals) terminal.push(null);
      });
    }, forget);
    return line;
  }
}
