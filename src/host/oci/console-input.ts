import { closeSync, constants, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { checked, libc, O_CLOEXEC } from '../syscalls/libc.ts';
import { hasCode } from '../system-error.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SHUT_RD = 0;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** open(2); not in node:fs. */
const O_PATH = 0o10000000;
/** conmon reads a message into a buffer of 8 KiB and drops what is more. */
const MESSAGE = 4096;
const PAUSE_MS = 5;

/** The way to type on the console of a container under conmon. Several may be open at once. */
export interface ConsoleInput {
  /** Waits while the console takes nothing. @throws SystemError EPIPE when the monitor has ended */
  write(data: Uint8Array): Promise<void>;
  close(): void;
}

/**
 * Connects to conmon's socket `attach`, which Node cannot speak to: it is of the kind SOCK_SEQPACKET (unix(7)). Only
 * writes: the monitor drops what it cannot send here, and what the console shows is in the log.
 * @throws SystemError
 */
export function openConsoleInput(path: string): ConsoleInput {
  const socket = checked('socket', libc().socket(AF_UNIX, SOCK_SEQPACKET | O_CLOEXEC, 0));
  let open = true;
  const close = (): void => {
    if (open) closeSync(socket);
    open = false;
  };
  try {
    connect(socket, path);
    checked('shutdown', libc().shutdown(socket, SHUT_RD));
  } catch (failure) {
    close();
    throw failure;
  }
  return {
    close,
    write: async (data) => {
      for (let at = 0; open && at < data.length; at += MESSAGE) {
        const message = data.subarray(at, at + MESSAGE);
        while (open && !sendNow(socket, message)) await sleep(PAUSE_MS);
      }
    },
  };
}

/** The path may be longer than a socket's address, so that it is reached by a descriptor. */
function connect(socket: number, path: string): void {
  const target = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    const address = Buffer.alloc(110);
    address.writeUInt16LE(AF_UNIX, 0);
    const length = address.write(`/proc/self/fd/${target}`, 2);
    checked('connect', libc().connect(socket, address, 2 + length + 1), path);
  } finally {
    closeSync(target);
  }
}

/** False when the monitor's buffer is full. */
function sendNow(socket: number, message: Uint8Array): boolean {
  try {
    checked('send', libc().send(socket, message, message.length, MSG_DONTWAIT | MSG_NOSIGNAL));
    return true;
  } catch (failure) {
    if (hasCode(failure, 'EAGAIN')) return false;
    throw failure;
  }
}
