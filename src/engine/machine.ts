import { DEFAULT_LIMITS } from '../contract/vps.ts';
import { linkName, UID_COUNT, uidBase, vpsCgroup, vpsLogDirectory, vpsRunDirectory } from '../core/naming.ts';
import type { Machine, NicSpec } from '../drivers/driver.ts';
import type { Attachment } from '../network/network.ts';
import type { Context } from './context.ts';
import type { NetworkRecord, VpsRecord } from './records.ts';

const GUEST_LINK = 'eth0';

/** The machine that a driver is asked to run for this VPS. */
export function machineOf(context: Context, record: VpsRecord): Machine {
  const { naming, pool, images } = context.deps;
  const network = networkOf(context, record);
  return {
    id: record.id,
    name: record.name,
    project: record.project,
    technique: record.technique,
    limits: record.limits,
    ids: { base: uidBase(record.slot), count: UID_COUNT },
    volume: pool.volumePath(record.id),
    image: images.files(record.imageId),
    runDirectory: vpsRunDirectory(naming, record.id),
    logDirectory: vpsLogDirectory(naming, record.id),
    cgroup: vpsCgroup(naming, record.id),
    nics: network === undefined ? [] : [nicOf(context, record, network)],
    machineId: record.machineId,
    env: record.env,
    sshKeys: record.sshKeys,
    firmware: record.firmware,
    bus: record.bus,
    ...(record.userData === undefined ? {} : { userData: record.userData }),
  };
}

/** Enough of a machine to remove what is left of one that has no record. */
export function strangerMachine(context: Context, id: string, technique: Machine['technique']): Machine {
  const { naming, pool } = context.deps;
  return {
    id,
    name: id,
    project: '',
    technique,
    limits: { ...DEFAULT_LIMITS, memory: 0, disk: 0, pids: 0 },
    ids: { base: uidBase(0), count: UID_COUNT },
    volume: pool.volumePath(id),
    image: { id: '' },
    runDirectory: vpsRunDirectory(naming, id),
    logDirectory: vpsLogDirectory(naming, id),
    cgroup: vpsCgroup(naming, id),
    nics: [],
    machineId: '',
    env: {},
    sshKeys: [],
  };
}

const networkOf = (context: Context, record: VpsRecord): NetworkRecord | undefined =>
  context.deps.networked && record.isolated !== true
    ? context.state.networks.get(`${record.project}/${record.network}`)
    : undefined;

function nicOf(context: Context, record: VpsRecord, network: NetworkRecord): NicSpec {
  return {
    hostLink: linkName(context.deps.naming, record.slot),
    guestLink: GUEST_LINK,
    mac: record.mac,
    addresses: [
      { address: record.ipv4, ...network.ipv4 },
      { address: record.ipv6, ...network.ipv6 },
    ],
    nameservers: [network.ipv4.gateway, network.ipv6.gateway],
    domain: network.domain,
  };
}

/** The VPS's place on its network; undefined when there is no network. */
export function attachmentOf(context: Context, record: VpsRecord): Attachment | undefined {
  const network = networkOf(context, record);
  if (network === undefined) return undefined;
  return {
    vps: record.id,
    hostname: record.name,
    network,
    nic: nicOf(context, record, network),
    forwards: record.forwards,
    rates: record.limits,
  };
}
