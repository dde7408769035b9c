import { createWriteStream, type WriteStream } from 'node:fs';
import { Duplex } from 'node:stream';
import { type Child, spawnCommand } from '../../host/run.ts';
import { boundLog } from '../console/console-log.ts';

/** What an attached terminal may lag behind, in bytes, before it misses some of the output. */
const LAG_LIMIT = 256 * 1024;
const BOUND_EVERY = 512 * 1024;

/**
 * A domain's own console: xenconsoled holds it, and keeps what nobody reads for a while, so that a daemon may go and come
 * back. One reader takes all of it, writes the log, and shows it to any number of terminals.
 */
export class ConsoleTerminal {
  readonly #log: WriteStream;
  readonly #child: Child;
  readonly #terminals = new Set<Duplex>();
  readonly ended: Promise<void>;
  #unbounded = 0;

  constructor(device: string, logPath: string) {
    this.#log = createWriteStream(logPath, { flags: 'a', mode: 0o600 });
    this.#log.on('error', () => undefined);
    this.#child = spawnCommand(['socat', '-', `${device},raw,echo=0`], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#child.on('error', () => undefined);
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#show(chunk, logPath));
    this.ended = new Promise((resolve) => {
      this.#child.once('close', () => {
        for (const terminal of this.#terminals) terminal.push(null);
        this.#log.end(() => resolve());
      });
    });
  }

  attach(): Duplex {
    const terminal: Duplex = new Duplex({
      read: () => undefined,
      write: (chunk, _encoding, done) => {
        const stdin = this.#child.stdin;
        if (stdin === null || stdin.destroyed) done();
        else stdin.write(chunk, () => done());
      },
      destroy: (failure, done) => {
        this.#terminals.delete(terminal);
        done(failure);
      },
    });
    this.#terminals.add(terminal);
    return terminal;
  }

  close(): void {
    this.#child.kill('SIGKILL');
    for (const terminal of this.#terminals) terminal.destroy();
  }

  #show(chunk: Buffer, logPath: string): void {
    this.#log.write(chunk);
    this.#unbounded += chunk.length;
    if (this.#unbounded > BOUND_EVERY) {
      this.#unbounded = 0;
      boundLog(logPath).catch(() => undefined);
    }
    for (const terminal of this.#terminals) if (terminal.readableLength < LAG_LIMIT) terminal.push(chunk);
  }
}
