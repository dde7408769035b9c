import { checked, libc } from './syscalls/libc.ts';
import { hasCode } from './system-error.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Who connected to this Unix socket, as of the connect (unix(7), SO_PEERCRED). @throws SystemError */
export function peerCredentials(fd: number): PeerCredentials {
  const value = Buffer.alloc(12);
  getOption(fd, 'SO_PEERCRED', SO_PEERCRED, value);
  return { pid: value.readInt32LE(0), uid: value.readUInt32LE(4), gid: value.readUInt32LE(8) };
}

/** Supplementary groups of who connected (SO_PEERGROUPS, Linux 4.13). @throws SystemError */
export function peerGroups(fd: number): number[] {
  for (let size = 64; size <= 65_536; size *= 8) {
    const value = Buffer.alloc(size * 4);
    try {
      const length = getOption(fd, 'SO_PEERGROUPS', SO_PEERGROUPS, value);
      return Array.from({ length: length / 4 }, (_, index) => value.readUInt32LE(index * 4));
    } catch (failure) {
      if (!hasCode(failure, 'ERANGE')) throw failure;
    }
  }
  return [];
}

function getOption(fd: number, name: string, option: number, value: Uint8Array): number {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  checked(`getsockopt ${name}`, libc().getsockopt(fd, SOL_SOCKET, option, value, length));
  return length.readUInt32LE(0);
}
