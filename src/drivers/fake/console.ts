import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Duplex, PassThrough, type Readable } from 'node:stream';
import type { Machine } from '../driver.ts';

const fileOf = (machine: Machine): string => join(machine.logDirectory, 'console.log');

/** The consoles of one driver's machines: what is written is logged and shown to all who look. */
export class Consoles {
  readonly #viewers = new Map<string, Set<(text: string) => void>>();
  readonly #ends = new Map<string, Set<() => void>>();

  write(machine: Machine, text: string): void {
    const file = fileOf(machine);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    appendFileSync(file, text, { mode: 0o600 });
    for (const show of this.#viewers.get(machine.id) ?? []) show(text);
  }

  /** The machine has ended: who follows is let go. */
  end(id: string): void {
    for (const end of [...(this.#ends.get(id) ?? [])]) end();
  }

  read(
    machine: Machine,
    options: { readonly follow: boolean; readonly lines?: number | undefined; readonly signal: AbortSignal },
  ): Readable {
    const stream = new PassThrough();
    const file = fileOf(machine);
    const past = existsSync(file) ? readFileSync(file, 'utf8') : '';
    stream.write(
      options.lines === undefined
        ? past
        : past
            .split('\n')
            .slice(-options.lines - 1)
            .join('\n'),
    );
    if (!options.follow) return stream.end();
    this.#attach(machine.id, stream, (text) => stream.write(text));
    options.signal.addEventListener('abort', () => stream.end(), { once: true });
    return stream;
  }

  open(machine: Machine): Duplex {
    const duplex = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        this.write(machine, chunk.toString());
        done();
      },
    });
    this.#attach(machine.id, duplex, (text) => duplex.push(text));
    return duplex;
  }

  #attach(id: string, stream: Readable, show: (text: string) => void): void {
    const viewers = memberSet(this.#viewers, id);
    const ends = memberSet(this.#ends, id);
    const end = (): void => {
      if (stream instanceof PassThrough) stream.end();
      else stream.push(null);
    };
    viewers.add(show);
    ends.add(end);
    stream.once('close', () => {
      viewers.delete(show);
      ends.delete(end);
    });
  }
}

function memberSet<T>(sets: Map<string, Set<T>>, id: string): Set<T> {
  const set = sets.get(id) ?? new Set<T>();
  sets.set(id, set);
  return set;
}
