/** IPv4 addresses are unsigned 32-bit numbers here, IPv6 addresses unsigned 128-bit bigints. */

const IPV4_PART = /^(?:0|[1-9][0-9]{0,2})$/;
const IPV6_PART = /^[0-9a-f]{1,4}$/i;

/** Dotted decimal without leading zeros (RFC 6943 section 3.1.1), or undefined. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    const octet = Number(part);
    if (!IPV4_PART.test(part) || octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

export const formatIpv4 = (value: number): string =>
  [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');

/** The text forms of RFC 4291 section 2.2, without a zone; undefined for anything else. */
export function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = parseGroups(halves[1] ?? '', true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [position, part] of parts.entries()) {
    if (IPV6_PART.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const embedded = mayEndInIpv4 && position === parts.length - 1 ? parseIpv4(part) : undefined;
    if (embedded === undefined) return undefined;
    groups.push(embedded >>> 16, embedded & 0xffff);
  }
  return groups.length > 8 ? undefined : groups;
}

/** The canonical form of RFC 5952 section 4, always in hexadecimal groups. */
export function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    Number((value >> BigInt(112 - 16 * index)) & 0xffffn),
  );
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = groups.map((group) => group.toString(16));
  if (best.start < 0) return text.join(':');
  return `${text.slice(0, best.start).join(':')}::${text.slice(best.start + best.length).join(':')}`;
}

/** The link-local address that Linux gives an interface: modified EUI-64 of its MAC (RFC 4291, appendix A). */
export function linkLocalAddress(mac: string): string {
  const octets = mac.split(':').map((octet) => Number.parseInt(octet, 16));
  const [first = 0, ...rest] = octets;
  const identifier = [first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
  return formatIpv6(
    identifier.reduce((value, octet) => (value << 8n) | BigInt(octet), 0xfe80_0000_0000_0000n),
  );
}
