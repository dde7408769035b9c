import { closeSync, constants, openSync } from 'node:fs';
import { MullionError } from '../contract/errors.ts';
import { ioctl } from './syscalls/libc.ts';

const TUNSETIFF = 0x400454ca;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** IFNAMSIZ, with the ending NUL. */
const NAME_SIZE = 16;
const IFREQ_SIZE = 40;

export interface TapOptions {
  /** Frames come and go behind a virtio header, which lets both sides leave checksums and segmenting to the other. */
  readonly headers: boolean;
}

/**
 * A tap of this name in the daemon's network namespace: made, or taken when it is there and persistent
 * (Documentation/networking/tuntap). The descriptor closes on exec unless it is handed to a child.
 * @throws SystemError, for example EBUSY when another holds it; MullionError `host_unfit` without /dev/net/tun
 */
export function openTap(name: string, { headers }: TapOptions = { headers: true }): number {
  if (name.length === 0 || Buffer.byteLength(name) >= NAME_SIZE) {
    throw new TypeError(`"${name}" is no name of a link`);
  }
  const tap = openTun();
  try {
    const request = Buffer.alloc(IFREQ_SIZE);
    request.write(name, 0);
    request.writeUInt16LE(IFF_TAP | IFF_NO_PI | (headers ? IFF_VNET_HDR : 0), NAME_SIZE);
    ioctl(tap, `TUNSETIFF ${name}`, TUNSETIFF, request);
    return tap;
  } catch (failure) {
    closeSync(tap);
    throw failure;
  }
}

function openTun(): number {
  try {
    return openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK);
  } catch (cause) {
    throw new MullionError('host_unfit', 'The device /dev/net/tun cannot be opened.', {
      remedy: 'Load the module: modprobe tun',
      cause,
    });
  }
}
