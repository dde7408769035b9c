import { parseIpv4, parseIpv6 } from '../../core/ip.ts';
import type { LinkChange } from './link-change.ts';

/** rtnetlink(7), netlink(7); numbers from linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h. Little-endian, as the hosts are. */
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_NEWROUTE = 24;
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;

const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_REPLACE = 0x100;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;

const AF_INET = 2;
const AF_INET6 = 10;
const IFF_UP = 1;
const NLA_F_NESTED = 0x8000;

const IFLA = { address: 1, ifname: 3, master: 10, linkInfo: 18, netNsPid: 19, netNsFd: 28 } as const;
const IFLA_INFO = { kind: 1, data: 2, slaveKind: 4, slaveData: 5 } as const;
const VETH_INFO_PEER = 1;
const IFLA_BR_MCAST_SNOOPING = 23;
/** `hairpin` of ip(8). */
const IFLA_BRPORT_MODE = 4;
const IFA = { address: 1, local: 2, broadcast: 4 } as const;
const IFA_F_NODAD = 2;
const NUD_PERMANENT = 0x80;
const NDA = { destination: 1, mac: 2 } as const;
const RTA = { oif: 4, gateway: 5 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;

const HEADER = 16;
/** IFNAMSIZ, with the ending NUL. */
const NAME_SIZE = 16;

/** The number of a link of this name that is there. */
export type IndexOf = (link: string) => number;

/** One message that asks for an answer. @throws TypeError for a name, MAC or address that is none */
export function encodeChange(change: LinkChange, sequence: number, indexOf: IndexOf): Buffer {
  switch (change.type) {
    case 'addBridge':
      return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sequence, [
        link({}),
        name(change.link),
        attribute(IFLA.address, mac(change.mac)),
        linkInfo('bridge', attribute(IFLA_BR_MCAST_SNOOPING, Buffer.of(0))),
      ]);
    case 'addPair':
      return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sequence, [
        link({ up: true }),
        name(change.link),
        attribute(IFLA.master, u32(indexOf(change.bridge))),
        linkInfo('veth', nested(VETH_INFO_PEER, peer(change))),
      ]);
    case 'addShaper':
      return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sequence, [
        link({ up: true }),
        name(change.link),
        nested(IFLA.linkInfo, [attribute(IFLA_INFO.kind, Buffer.from('ifb'))]),
      ]);
    case 'removeLink':
      return message(RTM_DELLINK, 0, sequence, [link({}), name(change.link)]);
    case 'raise':
      return message(RTM_NEWLINK, 0, sequence, [link({ up: true }), name(change.link)]);
    case 'join':
      return message(RTM_NEWLINK, 0, sequence, [
        link({ up: true }),
        name(change.link),
        attribute(IFLA.master, u32(indexOf(change.bridge))),
      ]);
    case 'reflect':
      return message(RTM_NEWLINK, 0, sequence, [
        link({}),
        name(change.link),
        nested(IFLA.linkInfo, [
          attribute(IFLA_INFO.slaveKind, Buffer.from('bridge')),
          nested(IFLA_INFO.slaveData, [attribute(IFLA_BRPORT_MODE, Buffer.of(1))]),
        ]),
      ]);
    case 'setAddress':
      return message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sequence, address(change, indexOf));
    case 'removeAddress':
      return message(RTM_DELADDR, 0, sequence, address(change, indexOf));
    case 'setNeighbour':
      return message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sequence, [
        ...neighbour(change, NUD_PERMANENT, indexOf),
        attribute(NDA.mac, mac(change.mac)),
      ]);
    case 'removeNeighbour':
      return message(RTM_DELNEIGH, 0, sequence, neighbour(change, 0, indexOf));
    case 'setDefaultRoute':
      return message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sequence, [
        Buffer.of(family(change.gateway), 0, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, 0, RTN_UNICAST, 0, 0, 0, 0),
        attribute(RTA.gateway, addressBytes(change.gateway)),
        attribute(RTA.oif, u32(indexOf(change.link))),
      ]);
  }
}

const peer = (change: LinkChange & { type: 'addPair' }): Buffer[] => [
  link({}),
  name(change.peer),
  attribute(IFLA.address, mac(change.mac)),
  'pid' in change.place
    ? attribute(IFLA.netNsPid, u32(change.place.pid))
    : attribute(IFLA.netNsFd, u32(change.place.fd)),
];

/**
 * struct ifaddrmsg, then the address twice: that of the link and that of its network (if_addr.h). With its broadcast,
 * as systemd-networkd makes it: systemd 252 takes an address without one for foreign, asks for it again and again, and
 * gives the link up as failed.
 */
function address(
  change: { readonly link: string; readonly address: string; readonly prefix: number },
  indexOf: IndexOf,
): Buffer[] {
  const kind = family(change.address);
  const flags = kind === AF_INET6 ? IFA_F_NODAD : 0;
  const bytes = addressBytes(change.address);
  return [
    Buffer.concat([Buffer.of(kind, change.prefix, flags, 0), u32(indexOf(change.link))]),
    attribute(IFA.local, bytes),
    attribute(IFA.address, bytes),
    ...(kind === AF_INET && change.prefix < 31
      ? [attribute(IFA.broadcast, broadcastOf(bytes, change.prefix))]
      : []),
  ];
}

/** struct ndmsg, then the address. */
const neighbour = (
  change: { readonly link: string; readonly address: string },
  state: number,
  indexOf: IndexOf,
): Buffer[] => [
  Buffer.concat([Buffer.of(family(change.address), 0, 0, 0), u32(indexOf(change.link)), u16(state), u16(0)]),
  attribute(NDA.destination, addressBytes(change.address)),
];

function broadcastOf(address: Buffer, prefix: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((address.readUInt32BE() | (2 ** (32 - prefix) - 1)) >>> 0);
  return bytes;
}

/** struct ifinfomsg of a link that its name tells. */
function link({ up = false }: { readonly up?: boolean }): Buffer {
  const flag = u32(up ? IFF_UP : 0);
  return Buffer.concat([Buffer.alloc(8), flag, flag]);
}

function name(text: string): Buffer {
  if (!/^[A-Za-z0-9_.@-]+$/.test(text) || text.length >= NAME_SIZE) {
    throw new TypeError(`"${text}" is no name of a link`);
  }
  return attribute(IFLA.ifname, Buffer.from(`${text}\0`));
}

const linkInfo = (kind: string, data: Buffer): Buffer =>
  nested(IFLA.linkInfo, [attribute(IFLA_INFO.kind, Buffer.from(kind)), nested(IFLA_INFO.data, [data])]);

function mac(text: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(text)) throw new TypeError(`"${text}" is no MAC`);
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

const family = (text: string): number => (text.includes(':') ? AF_INET6 : AF_INET);

function addressBytes(text: string): Buffer {
  const ipv4 = parseIpv4(text);
  const ipv6 = ipv4 === undefined ? parseIpv6(text) : undefined;
  if (ipv4 === undefined && ipv6 === undefined) throw new TypeError(`"${text}" is no address`);
  const hexadecimal =
    ipv6 === undefined ? (ipv4 ?? 0).toString(16).padStart(8, '0') : ipv6.toString(16).padStart(32, '0');
  return Buffer.from(hexadecimal, 'hex');
}

function message(type: number, flags: number, sequence: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([
    u32(HEADER + body.length),
    u16(type),
    u16(NLM_F_REQUEST | NLM_F_ACK | flags),
    u32(sequence),
    u32(0),
    body,
  ]);
}

const nested = (type: number, parts: readonly Buffer[]): Buffer =>
  attribute(type | NLA_F_NESTED, Buffer.concat(parts));

/** Padded to four bytes, which its length does not count. */
function attribute(type: number, payload: Buffer): Buffer {
  const padding = (4 - (payload.length % 4)) % 4;
  return Buffer.concat([u16(4 + payload.length), u16(type), payload, Buffer.alloc(padding)]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
