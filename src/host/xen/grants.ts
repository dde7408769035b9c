import { closeSync, constants, openSync } from 'node:fs';
import { ioctl, mapShared } from '../syscalls/libc.ts';

/** xen/gntdev.h; struct ioctl_gntdev_map_grant_ref is count, padding, index of 64 bits, and domain and reference for each. */
const MAP_GRANT_REF = 0x0018_4700;
const REQUEST_SIZE = 24;
const PAGE = 4096;

/** A page of a guest's that it has granted to domain 0. */
export interface GrantedPage {
  readonly bytes: Buffer;
  /** Nobody may touch `bytes` after that. */
  release(): void;
}

/** Maps a page that domain `domain` grants. @throws SystemError */
export function mapGrant(domain: number, reference: number): GrantedPage {
  const device = openSync('/dev/xen/gntdev', constants.O_RDWR);
  try {
    const request = Buffer.alloc(REQUEST_SIZE);
    request.writeUInt32LE(1, 0);
    request.writeUInt32LE(domain, 16);
    request.writeUInt32LE(reference, 20);
    ioctl(device, `IOCTL_GNTDEV_MAP_GRANT_REF of domain ${domain}`, MAP_GRANT_REF, request);
    const mapping = mapShared(device, PAGE, Number(request.readBigUInt64LE(8)));
    return {
      bytes: mapping.bytes,
      release: () => {
        mapping.unmap();
        closeSync(device);
      },
    };
  } catch (failure) {
    closeSync(device);
    throw failure;
  }
}
