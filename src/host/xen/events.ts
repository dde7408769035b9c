import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { type Child, spawnCommand } from '../run.ts';
import { ioctl } from '../syscalls/libc.ts';

/** xen/evtchn.h */
const BIND_INTERDOMAIN = 0x0008_4501;
const UNBIND = 0x0004_4503;
const NOTIFY = 0x0004_4504;
const PORT_SIZE = 4;
/** Node cannot wait for this device, so a program that can hands on what comes; it goes with this process. */
const PUMP = ['setpriv', '--pdeathsig', 'KILL', 'cat'];

export interface EventChannel {
  /** Tells the other domain. */
  notify(): void;
  close(): void;
}

/** Event channels to other domains, all over one descriptor of /dev/xen/evtchn that is open while one is bound. */
export class EventChannels {
  readonly #listeners = new Map<number, () => void>();
  #device: number | undefined;
  #pump: Child | undefined;

  /** @throws SystemError when the other domain offers no such port, or has bound it already */
  bind(domain: number, remotePort: number, listener: () => void): EventChannel {
    this.#device ??= this.#open();
    const device = this.#device;
    const request = Buffer.alloc(8);
    request.writeUInt32LE(domain, 0);
    request.writeUInt32LE(remotePort, 4);
    let port: number;
    try {
      port = ioctl(
        device,
        `IOCTL_EVTCHN_BIND_INTERDOMAIN ${domain}:${remotePort}`,
        BIND_INTERDOMAIN,
        request,
      );
    } catch (failure) {
      this.#closeIfUnused();
      throw failure;
    }
    this.#listeners.set(port, listener);
    return {
      notify: () => {
        if (this.#listeners.has(port)) ioctl(device, 'IOCTL_EVTCHN_NOTIFY', NOTIFY, portRequest(port));
      },
      close: () => {
        if (!this.#listeners.delete(port)) return;
        ioctl(device, 'IOCTL_EVTCHN_UNBIND', UNBIND, portRequest(port));
        this.#closeIfUnused();
      },
    };
  }

  #open(): number {
    const device = openSync('/dev/xen/evtchn', constants.O_RDWR);
    const pump = spawnCommand(PUMP, { stdio: [device, 'pipe', 'ignore'] });
    pump.on('error', () => undefined);
    pump.unref();
    let rest: Buffer = Buffer.alloc(0);
    pump.stdout?.on('data', (chunk: Buffer) => {
      if (this.#pump !== pump) return;
      rest = Buffer.concat([rest, chunk]);
      for (; rest.length >= PORT_SIZE; rest = rest.subarray(PORT_SIZE)) this.#hear(device, rest);
    });
    this.#pump = pump;
    return device;
  }

  /** A port that was read is masked until it is written back. */
  #hear(device: number, message: Buffer): void {
    const port = message.readUInt32LE(0);
    const listener = this.#listeners.get(port);
    if (listener === undefined) return;
    writeSync(device, portRequest(port));
    listener();
  }

  #closeIfUnused(): void {
    if (this.#listeners.size > 0 || this.#device === undefined) return;
    this.#pump?.kill('SIGKILL');
    this.#pump = undefined;
    closeSync(this.#device);
    this.#device = undefined;
  }
}

function portRequest(port: number): Buffer {
  const request = Buffer.alloc(PORT_SIZE);
  request.writeUInt32LE(port, 0);
  return request;
}
