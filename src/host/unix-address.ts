import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { O_PATH } from './open-flags.ts';
import { checked, libc } from './syscalls/libc.ts';

export const AF_UNIX = 1;
/** struct sockaddr_un (unix(7)): the family, then a path with its ending NUL. */
const FAMILY_SIZE = 2;
const PATH_SIZE = 108;

/** Whether a path can be the address of a socket. */
export const fitsAddress = (path: string): boolean => Buffer.byteLength(path) < PATH_SIZE;

/** @throws TypeError when the path is longer than an address */
export function unixAddress(path: string): Buffer {
  if (!fitsAddress(path)) throw new TypeError(`"${path}" is too long for a socket`);
  const address = Buffer.alloc(FAMILY_SIZE + Buffer.byteLength(path) + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, FAMILY_SIZE);
  return address;
}

/**
 * Connects to a socket whose path may be longer than an address, so that it is reached by a descriptor. Neither a link
 * there nor one in the place of its folder is followed: whoever made the socket may have made that. @throws SystemError
 */
export function connectByPath(socket: number, path: string): void {
  const folder = openSync(dirname(path), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const target = openSync(`/proc/self/fd/${folder}/${basename(path)}`, O_PATH | constants.O_NOFOLLOW);
    try {
      const address = unixAddress(`/proc/self/fd/${target}`);
      checked('connect', libc().connect(socket, address, address.length), path);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(folder);
  }
}
