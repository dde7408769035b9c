import { closeSync, constants, openSync } from 'node:fs';
import { hasCode } from '../system-error.ts';
import { ioctl } from './libc.ts';

/** linux/loop.h */
const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a;
const LO_FLAGS_AUTOCLEAR = 4;
const LO_FLAGS_DIRECT_IO = 16;
const CONFIG_SIZE = 304;
const FLAGS_OFFSET = 60;
const NAME_OFFSET = 64;
const TRIES = 64;

export interface Loop {
  readonly device: string;
  /** Keeps the device attached; once it is closed, mounts alone do. */
  readonly fd: number;
}

/**
 * Attaches a file to a free loop device that goes with its last user, this process included (loop(4), LOOP_CONFIGURE,
 * Linux 5.8): a kill leaves nothing behind.
 * @param direct past the page cache of the file's file system, where that can
 * @throws SystemError
 */
export function attachLoop(file: string, direct = false): Loop {
  const backing = openSync(file, constants.O_RDWR);
  const control = openSync('/dev/loop-control', constants.O_RDWR);
  try {
    for (let tries = 1; ; tries += 1) {
      const device = `/dev/loop${ioctl(control, 'LOOP_CTL_GET_FREE', LOOP_CTL_GET_FREE, null)}`;
      const fd = openSync(device, constants.O_RDWR);
      try {
        ioctl(fd, `LOOP_CONFIGURE ${device}`, LOOP_CONFIGURE, renderConfig(backing, file, direct));
        return { device, fd };
      } catch (failure) {
        closeSync(fd);
        if (!hasCode(failure, 'EBUSY') || tries >= TRIES) throw failure;
      }
    }
  } finally {
    closeSync(control);
    closeSync(backing);
  }
}

/** struct loop_config: descriptor, block size, struct loop_info64. */
function renderConfig(backing: number, file: string, direct: boolean): Uint8Array {
  const config = Buffer.alloc(CONFIG_SIZE);
  config.writeUInt32LE(backing, 0);
  config.writeUInt32LE(LO_FLAGS_AUTOCLEAR | (direct ? LO_FLAGS_DIRECT_IO : 0), FLAGS_OFFSET);
  config.write(file, NAME_OFFSET, 63, 'utf8');
  return config;
}
