import { createHash } from 'node:crypto';
import { PID_FILE_NAME, SOCKET_NAME } from '../contract/locations.ts';

/**
 * Every path, interface, cgroup and table name of this installation, made here and nowhere else.
 * `instance` tells installations on one machine apart: four hexadecimal digits of the state directory's hash.
 */
export interface Naming {
  readonly instance: string;
  readonly stateDirectory: string;
  readonly runDirectory: string;
}

export function createNaming(stateDirectory: string, runDirectory: string): Naming {
  const instance = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 4);
  return { instance, stateDirectory, runDirectory };
}

/** Interface names hold at most 15 characters (IFNAMSIZ); `slot` is a VPS's number, 0 to 4093. */
export const linkName = (naming: Naming, slot: number): string => `mv${naming.instance}-${slot.toString(16)}`;
export const LINK_PREFIX = (naming: Naming): string => `mv${naming.instance}-`;
/** Begins the names of the bridges of every installation. */
export const ANY_BRIDGE = 'mb';
export const BRIDGE_PREFIX = (naming: Naming): string => `${ANY_BRIDGE}${naming.instance}-`;
/** `index` is the network's number. */
export const bridgeName = (naming: Naming, index: number): string =>
  `${BRIDGE_PREFIX(naming)}${index.toString(16)}`;
/** Devices in which what VPSs send waits for its turn. */
export const RATE_PREFIX = (naming: Naming): string => `mr${naming.instance}-`;
/** Begins the names of the tables of every installation. */
export const ANY_TABLE = 'mullion_';
export const nftTableName = (naming: Naming): string => `${ANY_TABLE}${naming.instance}`;

export const firewallTableName = (naming: Naming): string => `${nftTableName(naming)}_fw`;

/** Parent of every VPS's cgroup, relative to the root of each hierarchy. */
export const cgroupRoot = (naming: Naming): string => `mullion-${naming.instance}`;
export const vpsCgroup = (naming: Naming, id: string): string => `${cgroupRoot(naming)}/${id}`;

/** Group in which keys of repositories are made, beside those of VPSs. */
export const keyCgroup = (naming: Naming): string => `mullion-${naming.instance}-key`;

/** Name of a VPS's Xen domain. */
export const domainName = (naming: Naming, id: string): string => `${DOMAIN_PREFIX(naming)}${id}`;
export const DOMAIN_PREFIX = (naming: Naming): string => `mullion-${naming.instance}-`;

export const vpsRunDirectory = (naming: Naming, id: string): string => `${naming.runDirectory}/vps/${id}`;
export const vpsLogDirectory = (naming: Naming, id: string): string => `${naming.stateDirectory}/logs/${id}`;
export const ociStateDirectory = (naming: Naming): string => `${naming.runDirectory}/oci`;
/** Programs that read hostile data; beside the folders of VPSs, so that no driver takes them for its own. */
export const jailRunDirectory = (naming: Naming): string => `${naming.runDirectory}/jails`;
export const jailCgroupRoot = (naming: Naming): string => `mullion-${naming.instance}-jails`;
export const conversionRunDirectory = (naming: Naming): string => `${naming.runDirectory}/conversion`;
export const networkRunDirectory = (naming: Naming): string => `${naming.runDirectory}/network`;
/** What the host's settings of forwarding were before. Void once the host has restarted, as this folder is. */
export const forwardingRecordFile = (naming: Naming): string => `${naming.runDirectory}/forwarding.json`;
export const poolDirectory = (naming: Naming): string => `${naming.stateDirectory}/pool`;
export const poolFile = (naming: Naming): string => `${naming.stateDirectory}/pool.btrfs`;
export const storeFile = (naming: Naming): string => `${naming.stateDirectory}/store.db`;
export const cacheDirectory = (naming: Naming): string => `${naming.stateDirectory}/cache`;
export const backupSecretsDirectory = (naming: Naming): string => `${naming.stateDirectory}/backup/secrets`;
export const backupCacheDirectory = (naming: Naming): string => `${naming.stateDirectory}/backup/cache`;
export const socketPath = (naming: Naming): string => `${naming.runDirectory}/${SOCKET_NAME}`;
export const lockFile = (naming: Naming): string => `${naming.stateDirectory}/daemon.lock`;
export const pidFile = (naming: Naming): string => `${naming.runDirectory}/${PID_FILE_NAME}`;
export const auditLog = (naming: Naming): string => `${naming.stateDirectory}/audit.log`;
export const daemonLog = (naming: Naming): string => `${naming.stateDirectory}/daemon.log`;

/**
 * Host ids of VPSs: 65,536 for each slot, above the ranges of systemd-nspawn and below 2^31
 * (systemd, "Users, Groups, UIDs and GIDs on systemd systems").
 */
export const UID_FIRST = 0x7000_0000;
export const UID_COUNT = 65_536;
export const SLOTS = 4_093;
export const uidBase = (slot: number): number => UID_FIRST + slot * UID_COUNT;
/** Ids of programs that read hostile data, above those of every VPS. */
export const JAIL_UID_BASE = uidBase(SLOTS);
/** Ids of the machine of which a memory template is made, above those. */
export const TEMPLATE_UID_BASE = uidBase(SLOTS + 1);

/** A locally administered unicast MAC address (IEEE 802-2014 section 8.4), from the VPS's id. */
export function macAddress(id: string): string {
  const digest = createHash('sha256').update(`mac:${id}`).digest();
  return [
    '52',
    '54',
    '00',
    ...[...digest.subarray(0, 3)].map((byte) => byte.toString(16).padStart(2, '0')),
  ].join(':');
}
