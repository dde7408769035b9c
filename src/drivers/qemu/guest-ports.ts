import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import type { GuestPort, PortProvider } from '../guest-agent/guest-exec.ts';
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
export const SERIAL_BUS = 'serial0.0';
const LABEL = /^exec(\d{1,3})$/;

const AnySchema = z.unknown();
const ChardevsSchema = z.array(z.object({ label: z.string() }));

/** What a port needs of its machine. */
export interface PortHost {
  monitor(): Promise<QmpClient>;
  /** Where QEMU makes the socket, as QEMU sees the path. */
  socketInJail(name: string): string;
  connect(name: string): Promise<Socket>;
}

/** Channels for commands: virtio-serial ports, plugged in when a command starts and out when it has ended. */
export class GuestPorts implements PortProvider {
  readonly #host: PortHost;
  readonly #used = new Set<number>();
  readonly #open = new Set<Socket>();
  #swept: Promise<void> | undefined;
  #turn = 0;
  /** What is plugged in or out now; whoever plugs next waits for it. */
  #plugging: Promise<unknown> = Promise.resolve();

  constructor(host: PortHost) {
    this.#host = host;
  }

  async openPorts(count: number): Promise<{ ports: GuestPort[]; release(): Promise<void> }> {
    this.#swept ??= this.#sweep();
    await this.#swept;
    const numbers = this.#take(count);
    const sockets: Socket[] = [];
    const release = async (): Promise<void> => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(numbers.map((number) => this.whileStill(() => this.#unplug(number))));
    };
    try {
      for (const number of numbers) sockets.push(await this.whileStill(() => this.#plug(number)));
    } catch (failure) {
      await release();
      throw failure;
    }
    const ports = sockets.map((stream, index) => ({ guestPath: `/dev/vport*p${numbers[index]}`, stream }));
    return { ports, release };
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
    const id = `exec${number}`;
    const addr = { type: 'unix', data: { path: this.#host.socketInJail(id) } };
    const backend = { type: 'socket', data: { addr, server: true, wait: false } };
    await monitor.execute('chardev-add', { id, backend }, AnySchema);
    const device = { driver: 'virtserialport', bus: SERIAL_BUS, nr: number, chardev: id, id };
    await monitor.execute('device_add', device, AnySchema);
    const socket = await this.#host.connect(id);
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    // An answer that follows the connection means that QEMU's main loop has taken it and told the guest.
    await monitor.execute('query-chardev', {}, AnySchema);
    return socket;
  }

  /** What is not there any more is fine. The character device is busy until the port has gone. */
  async #unplug(number: number): Promise<void> {
    const id = `exec${number}`;
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
    const left = chardevs.flatMap(({ label }) => LABEL.exec(label)?.slice(1).map(Number) ?? []);
    await Promise.all(left.map((number) => this.#unplug(number)));
  }
}
