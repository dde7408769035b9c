import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { MullionError } from '../contract/errors.ts';
import { checked, libc } from './syscalls/libc.ts';
import { hasCode } from './system-error.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const PIECE = 64 * 1024;
/** Most that a pipe can hold (Linux, /proc/sys/fs/pipe-max-size, unless root has raised it). */
const LARGEST_PIPE = 1024 * 1024;

/** mkfifo(3), for its owner alone. @throws SystemError EEXIST */
export const makeFifo = (path: string): number => checked('mkfifo', libc().mkfifo(path, 0o600), path);

/** `both` keeps the pipe's other end open too, so that neither end is ever seen to close. */
export type FifoEnd = 'read' | 'write' | 'both';
const FLAGS: Readonly<Record<FifoEnd, number>> = { read: O_RDONLY, write: O_WRONLY, both: O_RDWR };

/**
 * A descriptor of a named pipe, which never waits for the other end.
 * @throws SystemError ENXIO to write when nobody reads; MullionError `host_unfit` when it is no pipe
 */
export function openFifo(path: string, end: FifoEnd): number {
  const fd = openSync(path, FLAGS[end] | O_NONBLOCK | O_NOFOLLOW);
  if (fstatSync(fd).isFIFO()) return fd;
  closeSync(fd);
  throw new MullionError('host_unfit', `${path} is not a pipe.`, {
    remedy: 'Stop the VPS and start it again',
  });
}

/** Throws away what lies unread in a pipe, and tells how many bytes that was; not what a writer adds without end meanwhile. */
export function drainFifo(path: string): number {
  const fd = openFifo(path, 'read');
  let drained = 0;
  try {
    const memory = Buffer.alloc(PIECE);
    for (let count = 1; drained < LARGEST_PIPE && count > 0; drained += count) count = readSync(fd, memory);
  } catch (failure) {
    if (!hasCode(failure, 'EAGAIN')) throw failure;
  } finally {
    closeSync(fd);
  }
  return drained;
}

/** One end of a named pipe as a stream. */
export const fifoStream = (path: string, end: 'read' | 'write'): Socket =>
  new Socket({ fd: openFifo(path, end), readable: end === 'read', writable: end === 'write' });
