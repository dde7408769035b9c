import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import type { GuestLine, LineProvider, LineRoom } from '../guest-agent/guest-line.ts';
import { FRAME_LIMIT } from '../guest-agent/runner-script.ts';
import type { GuestPort, PortProvider } from '../guest-agent/shell-exec.ts';
import type { QmpClient } from './qmp.ts';

/** Ports 0 and 1 are the bus's own console and the agent (virtio specification, section 5.3, Console Device). */
const FIRST_PORT = 2;
export const PORT_COUNT = 128;
/**
 * Numbers that are used in turn. Linux keeps half a megabyte of buffers for each number that was ever used
 * (drivers/char/virtio_console.c, add_port), so they are few; they are several, because a guest that lags behind still
 * shows the device file of a number that was used before.
 */
const IN_TURN = 24;
/** Ports that stay plugged in for the next command: plugging one has the guest's udev look at it. */
const MOST_IDLE = 2;
const ROOM: LineRoom = { toGuest: 256 * 1024, piece: FRAME_LIMIT, toHost: 256 * 1024 };
export const SERIAL_BUS = 'serial0.0';
/** Of the port's device, its character device and its socket. */
export const portName = (number: number): string => `exec${number}`;
export const portNumber = (name: string): number | undefined => {
  const [, digits] = /^exec(\d{1,3})$/.exec(name) ?? [];
  return digits === undefined ? undefined : Number(digits);
};

const AnySchema = z.unknown();
const ChardevsSchema = z.array(z.object({ label: z.string() }));

/** What a port needs of its machine. */
export interface PortHost {
  monitor(): Promise<QmpClient>;
  /** Where QEMU makes the socket, as QEMU sees the path. */
  socketInJail(name: string): string;
  connect(name: string): Promise<Socket>;
}

interface Port {
  readonly number: number;
  readonly socket: Socket;
}
const guestPathOf = ({ number }: Port): string => `/dev/vport*p${number}`;
/** The number of a line's port. */
export const portOfLine = ({ guestPath }: GuestLine): number => Number(/\d+$/.exec(guestPath)?.[0]);

/** Channels for commands: virtio-serial ports, plugged in when a command starts and none is idle. */
export class GuestPorts implements LineProvider, PortProvider {
  readonly #host: PortHost;
  readonly #used = new Set<number>();
  readonly #open = new Set<Socket>();
  readonly #idle: Port[] = [];
  #swept: Promise<void> | undefined;
  #turn = 0;
  /** What is plugged in or out now; whoever plugs next waits for it. */
  #plugging: Promise<unknown> = Promise.resolve();

  constructor(host: PortHost) {
    this.#host = host;
  }

  async openLine(): Promise<GuestLine> {
    await this.#whenSwept();
    const port = this.#anIdle() ?? (await this.#plugAll(1))[0];
    if (port === undefined) throw new TypeError('no port was plugged in');
    return this.#lineOf(port);
  }

  /** The line of a port that is plugged in from the start. The guest must not run yet: it would see that nobody is there. */
  async adopt(number: number): Promise<GuestLine> {
    this.#used.add(number);
    return this.#lineOf({ number, socket: await this.#connect(number) });
  }

  #lineOf(port: Port): GuestLine {
    const release = async (clean: boolean): Promise<void> => {
      if (clean && !port.socket.destroyed && this.#idle.length < MOST_IDLE) this.#idle.push(port);
      else await this.#putAway([port]);
    };
    return { guestPath: guestPathOf(port), stream: port.socket, room: ROOM, hangsUp: true, release };
  }

  async openPorts(count: number): Promise<{ ports: GuestPort[]; release(): Promise<void> }> {
    await this.#whenSwept();
    const plugged = await this.#plugAll(count);
    return {
      ports: plugged.map((port) => ({ guestPath: guestPathOf(port), stream: port.socket })),
      release: () => this.#putAway(plugged),
    };
  }

  /** Plugs out what no command uses. */
  async tidy(): Promise<void> {
    await this.#putAway(this.#idle.splice(0));
  }

  /** Ends every command's connection: the guest has started anew, or is given up. */
  reset(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** Plugs nothing in or out meanwhile: QEMU may not while its memory is written, nor does what is written fit then. */
  whileStill<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#plugging.then(work);
    this.#plugging = turn.catch(() => undefined);
    return turn;
  }

  /** One whose guest has said goodbye to the last command. */
  #anIdle(): Port | undefined {
    for (let port = this.#idle.pop(); port !== undefined; port = this.#idle.pop()) {
      if (!port.socket.destroyed) return port;
      void this.#putAway([port]).catch(() => undefined);
    }
    return undefined;
  }

  #whenSwept(): Promise<void> {
    this.#swept ??= this.#sweep();
    return this.#swept;
  }

  async #plugAll(count: number): Promise<Port[]> {
    const numbers = this.#take(count);
    const plugged: Port[] = [];
    try {
      for (const number of numbers) {
        plugged.push({ number, socket: await this.whileStill(() => this.#plug(number)) });
      }
      return plugged;
    } catch (failure) {
      for (const { socket } of plugged) socket.destroy();
      await Promise.all(numbers.map((number) => this.whileStill(() => this.#unplug(number))));
      throw failure;
    }
  }

  async #putAway(ports: readonly Port[]): Promise<void> {
    for (const { socket } of ports) socket.destroy();
    await Promise.all(ports.map(({ number }) => this.whileStill(() => this.#unplug(number))));
  }

  #take(count: number): number[] {
    if (this.#used.size + count > PORT_COUNT - FIRST_PORT) {
      throw new MullionError('conflict', 'Too many commands run in this VPS at once.', {
        remedy: 'Wait until one has ended',
      });
    }
    return Array.from({ length: count }, () => {
      const number = this.#longestUnused();
      this.#used.add(number);
      return number;
    });
  }

  /** The next in turn that is free; beyond those, the lowest. */
  #longestUnused(): number {
    for (let tries = 0; tries < IN_TURN; tries += 1) {
      const number = FIRST_PORT + this.#turn;
      this.#turn = (this.#turn + 1) % IN_TURN;
      if (!this.#used.has(number)) return number;
    }
    let number = FIRST_PORT + IN_TURN;
    while (this.#used.has(number)) number += 1;
    return number;
  }

  async #plug(number: number): Promise<Socket> {
    const monitor = await this.#host.monitor();
    const id = portName(number);
    const addr = { type: 'unix', data: { path: this.#host.socketInJail(id) } };
    const backend = { type: 'socket', data: { addr, server: true, wait: false } };
    await monitor.execute('chardev-add', { id, backend }, AnySchema);
    const device = { driver: 'virtserialport', bus: SERIAL_BUS, nr: number, chardev: id, id };
    await monitor.execute('device_add', device, AnySchema);
    const socket = await this.#connect(number);
    // An answer that follows the connection means that QEMU's main loop has taken it and told the guest.
    await monitor.execute('query-chardev', {}, AnySchema);
    return socket;
  }

  async #connect(number: number): Promise<Socket> {
    const socket = await this.#host.connect(portName(number));
    this.#open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#open.delete(socket));
    return socket;
  }

  /** What is not there any more is fine. The character device is busy until the port has gone. */
  async #unplug(number: number): Promise<void> {
    const id = portName(number);
    try {
      const monitor = await this.#host.monitor();
      await monitor.execute('device_del', { id }, AnySchema).catch(() => undefined);
      for (let attempt = 0; attempt < 50; attempt += 1) {
        const chardevs = await monitor.execute('query-chardev', {}, ChardevsSchema);
        if (!chardevs.some(({ label }) => label === id)) break;
        await monitor.execute('chardev-remove', { id }, AnySchema).catch(() => sleep(20));
      }
    } finally {
      this.#used.delete(number);
    }
  }

  /** Takes away what a former daemon's commands left plugged in. */
  async #sweep(): Promise<void> {
    const monitor = await this.#host.monitor();
    const chardevs = await monitor.execute('query-chardev', {}, ChardevsSchema);
    const there = chardevs.flatMap(({ label }) => portNumber(label) ?? []);
    const left = there.filter((number) => !this.#used.has(number));
    await Promise.all(left.map((number) => this.#unplug(number)));
  }
}
