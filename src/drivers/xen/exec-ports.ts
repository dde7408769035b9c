import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import type { OpenPorts, PortProvider } from '../guest-agent/guest-exec.ts';
import { RelayPort, SWEEP } from '../guest-agent/relay-port.ts';
import { AGENT_CHANNEL, CHANNELS, channelDevice } from './channels.ts';

/** How long a command waits for one of the others to end. */
const WAIT_MS = 20_000;

/** One channel for each command, as many at once as a guest has channels; more wait for their turn. */
export class ExecPorts implements PortProvider {
  readonly #open: (channel: number) => Promise<Duplex>;
  readonly #free: number[] = CHANNELS.filter((channel) => channel !== AGENT_CHANNEL);
  /** Channels on which a command of a former daemon may still speak. */
  readonly #unswept = new Set<number>(this.#free);
  readonly #lines = new Set<Duplex>();
  readonly #waiting: ((channel: number) => void)[] = [];

  constructor(open: (channel: number) => Promise<Duplex>) {
    this.#open = open;
  }

  async openPorts(count: number): Promise<OpenPorts> {
    const channel = this.#free.shift() ?? (await this.#turn());
    try {
      const line = await this.#open(channel);
      this.#lines.add(line);
      line.once('close', () => this.#lines.delete(line));
      if (this.#unswept.delete(channel)) line.write(SWEEP);
      const relay = new RelayPort(line, channelDevice(channel), randomBytes(16).toString('hex'), count);
      return {
        ports: relay.ports,
        launcher: relay.launcher,
        release: async () => {
          await relay.release();
          this.#give(channel);
        },
      };
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
