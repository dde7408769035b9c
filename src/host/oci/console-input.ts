import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { checked, libc, O_CLOEXEC } from '../syscalls/libc.ts';
import { hasCode } from '../system-error.ts';
import { AF_UNIX, connectByPath } from '../unix-address.ts';

const SOCK_SEQPACKET = 5;
const SHUT_RD = 0;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
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
    connectByPath(socket, path);
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
