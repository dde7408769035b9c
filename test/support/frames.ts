import { parseIpv4, parseIpv6 } from '../../src/core/ip.ts';

/** Ethernet frames made by hand, for what an honest kernel would not send. */

const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
export const BROADCAST = 'ff:ff:ff:ff:ff:ff';

const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');
const ipv4Bytes = (address: string): Buffer => u32(parseIpv4(address) ?? 0);
const ipv6Bytes = (address: string): Buffer =>
  Buffer.from((parseIpv6(address) ?? 0n).toString(16).padStart(32, '0'), 'hex');
const u8 = (...values: number[]): Buffer => Buffer.from(values);
const u16 = (...values: number[]): Buffer =>
  Buffer.from(values.flatMap((value) => [value >> 8, value & 255]));
function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The Internet checksum (RFC 1071). */
function checksum(...parts: Buffer[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 2)
    sum += ((bytes[index] ?? 0) << 8) + (bytes[index + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export function ethernet(to: string, from: string, type: number, payload: Buffer): Buffer {
  const frame = Buffer.concat([macBytes(to), macBytes(from), u16(type), payload]);
  return Buffer.concat([frame, Buffer.alloc(Math.max(0, 60 - frame.length))]);
}

interface Ends {
  readonly fromMac: string;
  readonly toMac: string;
  readonly from: string;
  readonly to: string;
}

/** A UDP datagram over IPv4 or IPv6, whichever the addresses are. */
export function udpFrame(
  ends: Ends,
  ports: { readonly from: number; readonly to: number },
  text: string,
): Buffer {
  const body = Buffer.from(text);
  const length = 8 + body.length;
  const isIpv6 = ends.from.includes(':');
  const addresses = isIpv6
    ? Buffer.concat([ipv6Bytes(ends.from), ipv6Bytes(ends.to)])
    : Buffer.concat([ipv4Bytes(ends.from), ipv4Bytes(ends.to)]);
  const sum = checksum(addresses, u16(17, length), u16(ports.from, ports.to, length, 0), body);
  const udp = Buffer.concat([u16(ports.from, ports.to, length, sum), body]);
  if (isIpv6) {
    const packet = Buffer.concat([u32(0x6000_0000), u16(length), u8(17, 64), addresses, udp]);
    return ethernet(ends.toMac, ends.fromMac, ETHERTYPE.ipv6, packet);
  }
  const header = (value: number): Buffer =>
    Buffer.concat([u16(0x4500, 20 + length, 0, 0x4000), u8(64, 17), u16(value), addresses]);
  const packet = Buffer.concat([header(checksum(header(0))), udp]);
  return ethernet(ends.toMac, ends.fromMac, ETHERTYPE.ipv4, packet);
}

/** An unasked ARP reply (RFC 826) that says `from` is at `claimedMac`. */
export function arpReply(ends: Ends, claimedMac: string): Buffer {
  const body = Buffer.concat([
    u16(1, 0x0800, 0x0604, 2),
    macBytes(claimedMac),
    ipv4Bytes(ends.from),
    macBytes(ends.toMac),
    ipv4Bytes(ends.to),
  ]);
  return ethernet(ends.toMac, ends.fromMac, ETHERTYPE.arp, body);
}

/** A neighbour advertisement (RFC 4861 section 4.4) that says `target` is at the sender's MAC. */
export function neighbourAdvertisement(ends: Ends, target: string): Buffer {
  const message = (sum: number): Buffer =>
    Buffer.concat([
      u8(136, 0),
      u16(sum),
      u32(0x2000_0000),
      ipv6Bytes(target),
      u8(2, 1),
      macBytes(ends.fromMac),
    ]);
  return icmpv6Frame(ends, message);
}

/**
 * A router advertisement (RFC 4861 section 4.2) that offers the sender as default router for half an hour. `hidden`: behind
 * an extension header, where a filter that looks at fixed places misses it (RFC 7113 section 2).
 */
export function routerAdvertisement(ends: Ends, hidden = false): Buffer {
  const message = (sum: number): Buffer =>
    Buffer.concat([
      u8(134, 0),
      u16(sum),
      u8(64, 0),
      u16(1800),
      u32(0),
      u32(0),
      u8(1, 1),
      macBytes(ends.fromMac),
    ]);
  return icmpv6Frame(ends, message, hidden);
}

function icmpv6Frame(ends: Ends, message: (sum: number) => Buffer, hidden = false): Buffer {
  const addresses = Buffer.concat([ipv6Bytes(ends.from), ipv6Bytes(ends.to)]);
  const length = message(0).length;
  const body = message(checksum(addresses, u16(0, length, 0, 58), message(0)));
  // Destination options of eight bytes: what comes next, no more length, and padding (RFC 8200 section 4.6).
  const options = hidden ? u8(58, 0, 1, 4, 0, 0, 0, 0) : u8();
  const next = hidden ? 60 : 58;
  const header = Buffer.concat([u32(0x6000_0000), u16(options.length + length), u8(next, 255), addresses]);
  const packet = Buffer.concat([header, options, body]);
  return ethernet(ends.toMac, ends.fromMac, ETHERTYPE.ipv6, packet);
}
