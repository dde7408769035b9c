import type { NetworkRates } from '../contract/rates.ts';
import type { Forward } from '../contract/vps.ts';
import type { EarlyLink, Link, NicSpec } from '../drivers/driver.ts';
import type { Count, FirewallSpec } from './firewall.ts';

export type { Count, FirewallGroupSpec, FirewallMember, FirewallPeer, FirewallSpec } from './firewall.ts';

export interface NetworkSpec {
  /** Small number, unique on the node; names the bridge. */
  readonly index: number;
  readonly name: string;
  readonly project: string;
  readonly ipv4: { readonly gateway: string; readonly prefix: number };
  readonly ipv6: { readonly gateway: string; readonly prefix: number };
  readonly domain: string;
}

/** One VPS on a network. */
export interface Attachment {
  readonly vps: string;
  readonly hostname: string;
  readonly network: NetworkSpec;
  readonly nic: NicSpec;
  readonly forwards: readonly Forward[];
  /** Absent: no limit. */
  readonly rates?: NetworkRates | undefined;
}

export interface NetworkState {
  readonly networks: readonly NetworkSpec[];
  readonly attachments: readonly Attachment[];
}

export interface LinkUsage {
  /** Bytes to the guest. */
  readonly networkIn: number;
  /** Bytes from the guest. */
  readonly networkOut: number;
}

/** Bridges, addresses, names, rules. Every call is safe to repeat. */
export interface NetworkBackend {
  /**
   * Makes the host match `state` exactly, and removes what is ours and not in it. Called at start-up. A network that
   * cannot be made is logged and keeps no other from being made.
   */
  sync(state: NetworkState): Promise<void>;
  ensureNetwork(network: NetworkSpec): Promise<void>;
  removeNetwork(network: NetworkSpec): Promise<void>;
  /** Names, DHCP reservation, anti-spoofing and forwards: all that needs no machine. May run beside `Driver.prepare`. */
  admit(attachment: Attachment): Promise<void>;
  /** Joins the link of a prepared machine to the bridge, or of one that is being prepared. */
  connect(attachment: Attachment, link: Link | EarlyLink): Promise<void>;
  /** Undoes `connect` and `admit`. */
  detach(attachment: Attachment): Promise<void>;
  /** Replaces the forwards of one attachment. */
  setForwards(attachment: Attachment): Promise<void>;
  /** Limits what a connected VPS sends and receives a second to `attachment.rates`; a link that is not there is passed over. */
  setRates(attachment: Attachment): Promise<void>;
  usage(hostLink: string): Promise<LinkUsage>;
  /** Of every VPS's link, by the link's name; read at once. */
  usageOfAll(): Promise<ReadonlyMap<string, LinkUsage>>;
  /**
   * Makes the host's firewall that of `spec`; the same again costs nothing. Members need not be connected: their rules wait
   * for them. @throws MullionError `host_unfit` when this host cannot filter what it bridges
   */
  setFirewall(spec: FirewallSpec): Promise<void>;
  /** What our rules have counted, by the names of `core/firewall-counters.ts`. */
  firewallCounts(): Promise<ReadonlyMap<string, Count>>;
  /** Removes all that is ours from the host: bridges, links, tables, dnsmasq. */
  close(): Promise<void>;
}
