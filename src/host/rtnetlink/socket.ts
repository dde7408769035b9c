import { closeSync, openSync } from 'node:fs';
import { type NetworkPlace, openNamespace } from '../namespaces.ts';
import { checked, ioctl, libc, O_CLOEXEC, sendElsewhere } from '../syscalls/libc.ts';
import { type Answer, parseAnswers } from './answers.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
/** The answer quotes no more than the header of what it answers. */
const NETLINK_CAP_ACK = 10;
/** The answer carries the kernel's words. */
const NETLINK_EXT_ACK = 11;
const MSG_DONTWAIT = 0x40;
const CLONE_NEWNET = 0x40000000;
const SIOCGIFINDEX = 0x8933;
const IFREQ_SIZE = 40;
const NAME_SIZE = 16;
const DATAGRAM = 16 * 1024;

/** A socket of rtnetlink(7) in one network namespace, whichever thread uses it later. */
export class RouteSocket implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** In that network namespace, else in our own. @throws SystemError; MullionError when its process is gone */
  static open(place?: NetworkPlace): RouteSocket {
    const fd = place === undefined ? makeSocket() : withinNetwork(place, makeSocket);
    try {
      for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK]) {
        const on = Buffer.of(1, 0, 0, 0);
        checked('setsockopt', libc().setsockopt(fd, SOL_NETLINK, option, on, on.length));
      }
      return new RouteSocket(fd);
    } catch (failure) {
      closeSync(fd);
      throw failure;
    }
  }

  /** netdevice(7). @throws SystemError ENODEV */
  indexOf(link: string): number {
    const request = Buffer.alloc(IFREQ_SIZE);
    request.write(link, 0, NAME_SIZE - 1);
    ioctl(this.#fd, `SIOCGIFINDEX ${link}`, SIOCGIFINDEX, request);
    return request.readInt32LE(NAME_SIZE);
  }

  /**
   * Sends messages that ask for answers, together, and answers these in order. The kernel works while it is sent to, and
   * may have to wait for its lock: another thread does that.
   */
  async ask(messages: readonly Buffer[]): Promise<Answer[]> {
    if (messages.length === 0) return [];
    await sendElsewhere(this.#fd, Buffer.concat(messages), 'rtnetlink');
    const answers: Answer[] = [];
    const datagram = Buffer.alloc(DATAGRAM);
    while (answers.length < messages.length) {
      const size = checked(
        'recv',
        libc().recv(this.#fd, datagram, datagram.length, MSG_DONTWAIT),
        'rtnetlink',
      );
      answers.push(...parseAnswers(datagram.subarray(0, size)));
    }
    return answers;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

const makeSocket = (): number =>
  checked('socket', libc().socket(AF_NETLINK, SOCK_RAW | O_CLOEXEC, NETLINK_ROUTE), 'rtnetlink');

/** Runs `work`, which must not wait, with this thread in that network namespace (setns(2)). */
function withinNetwork<T>(place: NetworkPlace, work: () => T): T {
  const own = openSync('/proc/thread-self/ns/net', 'r');
  try {
    enter(place);
    try {
      return work();
    } finally {
      // A daemon that is lost in a guest's network must not go on.
      if (libc().setns(own, CLONE_NEWNET) !== 0) process.abort();
    }
  } finally {
    closeSync(own);
  }
}

function enter(place: NetworkPlace): void {
  if ('fd' in place) {
    checked('setns', libc().setns(place.fd, CLONE_NEWNET), 'a network namespace');
    return;
  }
  const { pid } = place;
  const fd = openNamespace(pid, 'net');
  try {
    checked('setns', libc().setns(fd, CLONE_NEWNET), `network of process ${pid}`);
  } finally {
    closeSync(fd);
  }
}
