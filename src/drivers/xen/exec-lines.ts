import type { Duplex } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import type { GuestLine, LineProvider, LineRoom } from '../guest-agent/guest-line.ts';
import { sweepOf } from '../guest-agent/runner-session.ts';
import { AGENT_CHANNEL, CHANNELS, channelDevice } from './channels.ts';

/** A little less than Xen's rings hold (Xen, public/io/console.h): the guest must not wait in the midst of a frame. */
const ROOM: LineRoom = { toGuest: 32 * 1024, piece: 900, toHost: 1500 };
/** How long a command waits for one of the others to end. */
const WAIT_MS = 20_000;

/** One channel for each command, as many at once as a guest has channels; more wait for their turn. */
export class ExecLines implements LineProvider {
  readonly #open: (channel: number) => Promise<Duplex>;
  readonly #free: number[] = CHANNELS.filter((channel) => channel !== AGENT_CHANNEL);
  /** Channels on which a command of a former daemon may still speak. */
  readonly #unswept = new Set<number>(this.#free);
  readonly #lines = new Set<Duplex>();
  readonly #waiting: ((channel: number) => void)[] = [];

  constructor(open: (channel: number) => Promise<Duplex>) {
    this.#open = open;
  }

  async openLine(): Promise<GuestLine> {
    const channel = this.#free.shift() ?? (await this.#turn());
    try {
      const stream = await this.#open(channel);
      this.#lines.add(stream);
      stream.on('error', () => undefined);
      stream.once('close', () => this.#lines.delete(stream));
      if (this.#unswept.delete(channel)) stream.write(sweepOf(ROOM));
      const release = async (): Promise<void> => {
        stream.destroy();
        this.#give(channel);
      };
      return { guestPath: channelDevice(channel), stream, room: ROOM, hangsUp: false, release };
    } catch (failure) {
      this.#give(channel);
      throw failure;
    }
  }

  /** Cuts every command off: the guest has ended, or is given up. */
  close(): void {
    for (const line of this.#lines) line.destroy();
  }

  #turn(): Promise<number> {
    return new Promise((resolve, reject) => {
      const next = (channel: number): void => {
        clearTimeout(timer);
        resolve(channel);
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(next), 1);
        reject(
          new MullionError('conflict', 'Too many commands run in this VPS at once.', {
            remedy: 'Wait until one has ended',
          }),
        );
      }, WAIT_MS);
      this.#waiting.push(next);
    });
  }

  #give(channel: number): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(channel);
    else next(channel);
  }
}
