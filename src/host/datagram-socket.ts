import { closeSync, lchownSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../contract/errors.ts';
import { checked, libc, O_CLOEXEC, readable } from './syscalls/libc.ts';
import { AF_UNIX, connectByPath, unixAddress } from './unix-address.ts';

const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const LARGEST = 64 * 1024;

/** A Unix socket of datagrams, which Node cannot speak: bound to `path`, where its peer's answers arrive. */
export class DatagramSocket implements Disposable {
  readonly #path: string;
  readonly #fd: number;
  #open = true;

  /**
   * @param path of at most 107 bytes; the peer must reach it by the same one, and may write to its folder
   * @param uid whose processes may answer
   * @throws SystemError when nobody listens at `peer`
   */
  constructor(path: string, uid: number, peer: string) {
    this.#path = path;
    this.#fd = checked('socket', libc().socket(AF_UNIX, SOCK_DGRAM | O_CLOEXEC, 0));
    try {
      rmSync(path, { force: true });
      const address = unixAddress(path);
      checked('bind', libc().bind(this.#fd, address, address.length), path);
      lchownSync(path, uid, uid);
      connectByPath(this.#fd, peer);
    } catch (failure) {
      this.close();
      throw failure;
    }
  }

  /** @throws SystemError EAGAIN when the peer does not read, ECONNREFUSED when it has ended */
  send(message: Uint8Array): void {
    checked('send', libc().send(this.#fd, message, message.length, MSG_DONTWAIT | MSG_NOSIGNAL));
  }

  /** The next message. @throws MullionError `timeout` */
  async receive(timeoutMs: number): Promise<Buffer> {
    const deadline = performance.now() + timeoutMs;
    for (let pause = 1; this.#open; pause = Math.min(pause * 1.5, 20)) {
      if (readable([this.#fd])[0] === true) {
        const memory = Buffer.alloc(LARGEST);
        const count = checked('recv', libc().recv(this.#fd, memory, memory.length, MSG_DONTWAIT));
        return memory.subarray(0, count);
      }
      if (performance.now() > deadline) break;
      await sleep(pause);
    }
    throw new MullionError('timeout', 'No answer came on the socket.');
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#fd);
    rmSync(this.#path, { force: true });
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
