import type { NetworkPlace } from '../namespaces.ts';

/** One change of links, addresses, neighbours or routes, as data; the same again changes nothing, removals and additions apart. */
export type LinkChange =
  /** A bridge that does not listen to multicast membership. */
  | { readonly type: 'addBridge'; readonly link: string; readonly mac: string }
  /** A veth pair: `link` here, up and on the bridge; `peer` in another network namespace. */
  | {
      readonly type: 'addPair';
      readonly link: string;
      readonly bridge: string;
      readonly peer: string;
      readonly mac: string;
      readonly place: NetworkPlace;
    }
  /** An intermediate functional block, up: what is redirected to it waits in its queue, and goes on where it came from. */
  | { readonly type: 'addShaper'; readonly link: string }
  | { readonly type: 'removeLink'; readonly link: string }
  | { readonly type: 'raise'; readonly link: string }
  /** Puts a link on a bridge, and raises it. */
  | { readonly type: 'join'; readonly link: string; readonly bridge: string }
  /** Lets the bridge send a frame out where it came in. */
  | { readonly type: 'reflect'; readonly link: string }
  /** In use at once: an IPv6 address is not checked for duplicates first. */
  | { readonly type: 'setAddress'; readonly link: string; readonly address: string; readonly prefix: number }
  | {
      readonly type: 'removeAddress';
      readonly link: string;
      readonly address: string;
      readonly prefix: number;
    }
  /** An address on this link is at this MAC, for good: nobody is asked, and no full table keeps it out. */
  | { readonly type: 'setNeighbour'; readonly link: string; readonly address: string; readonly mac: string }
  | { readonly type: 'removeNeighbour'; readonly link: string; readonly address: string }
  | { readonly type: 'setDefaultRoute'; readonly link: string; readonly gateway: string };

export const describeChange = (change: LinkChange): string =>
  [change.type, ...Object.values(change).slice(1).map(inWords)].join(' ');

const inWords = (value: string | number | NetworkPlace): string =>
  typeof value === 'object' ? Object.entries(value).flat().join(' ') : String(value);
