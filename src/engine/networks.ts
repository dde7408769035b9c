import { MullionError } from '../contract/errors.ts';
import { DEFAULT_NETWORK, DEFAULT_PROJECT } from '../contract/names.ts';
import type { Network } from '../contract/resources.ts';
import {
  chooseSubnet,
  formatSubnet,
  ipv4Segment,
  ipv6Segment,
  requireUsableSubnet,
} from '../core/addresses.ts';
import { bridgeName } from '../core/naming.ts';
import { bounded } from './bounded.ts';
import { type Context, now } from './context.ts';
import type { NetworkVerbs } from './contract.ts';
import type { NetworkRecord } from './records.ts';
import { claims } from './state.ts';

/** Queue of what changes networks and projects: rare, and each looks at all the others. */
export const NETWORKS_QUEUE = 'networks';

export function networkVerbs(context: Context): NetworkVerbs {
  const { state, queue, events } = context;
  return {
    async list(project) {
      state.requireProject(project);
      return [...state.networks.values()]
        .filter((record) => record.project === project)
        .map((record) => viewNetwork(context, record))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    async info(project, name) {
      return viewNetwork(context, requireNetwork(context, project, name));
    },
    create: (project, { name, ipv4 }) =>
      queue.run(NETWORKS_QUEUE, async () => {
        state.requireProject(project);
        const record = await makeNetwork(context, project, name, ipv4);
        return viewNetwork(context, record);
      }),
    delete: (project, name) =>
      queue.run(NETWORKS_QUEUE, async () => {
        const record = requireNetwork(context, project, name);
        const users = usersOf(context, record);
        if (users.length > 0) {
          throw new MullionError('in_use', `The network ${name} is used by ${users.join(', ')}.`, {
            details: { network: name, usedBy: users },
          });
        }
        await removeNetwork(context, record);
        events.emit('network.removed', project, name, {});
      }),
  };
}

/** @throws not_found */
export function requireNetwork(context: Context, project: string, name: string): NetworkRecord {
  context.state.requireProject(project);
  const record = context.state.networks.get(`${project}/${name}`);
  if (record !== undefined) return record;
  throw new MullionError('not_found', `There is no network ${name} in the project ${project}.`, {
    remedy: `See what there is with: mullion network list; create it with: mullion network create ${name}`,
    details: { project, network: name },
  });
}

/** The named network; a project's `default` is made when it is first asked for. */
export async function networkFor(context: Context, project: string, name: string): Promise<NetworkRecord> {
  const existing = context.state.networks.get(`${project}/${name}`);
  if (existing !== undefined || name !== DEFAULT_NETWORK) return requireNetwork(context, project, name);
  return context.queue.run(NETWORKS_QUEUE, async () => {
    context.state.requireProject(project);
    return (
      context.state.networks.get(`${project}/${name}`) ??
      (await makeNetwork(context, project, name, undefined))
    );
  });
}

async function makeNetwork(
  context: Context,
  project: string,
  name: string,
  asked: string | undefined,
): Promise<NetworkRecord> {
  const { state, deps } = context;
  if (state.networks.get(`${project}/${name}`) !== undefined) throw exists(project, name);
  const others = [...state.networks.values()];
  const index = lowestFree(new Set(others.map((network) => network.index)));
  const taken = [...others.map(({ ipv4 }) => `${ipv4.gateway}/${ipv4.prefix}`), deps.defaultSubnet];
  const isFirst = project === DEFAULT_PROJECT && name === DEFAULT_NETWORK;
  const subnet = isFirst
    ? deps.defaultSubnet
    : asked === undefined
      ? chooseSubnet(taken, index)
      : formatSubnet(requireUsableSubnet(asked, taken));
  const record: NetworkRecord = {
    index,
    name,
    project,
    ipv4: ipv4Segment(subnet),
    ipv6: ipv6Segment(deps.naming.instance + deps.naming.stateDirectory, index),
    domain: name === DEFAULT_NETWORK ? `${project}.internal` : `${name}.${project}.internal`,
    createdAt: now(context),
  };
  const key = state.networks.keyFor(record);
  const claim = claims.networkIndex(index);
  const operations = [
    { type: 'put', key, value: JSON.parse(JSON.stringify(record)) },
    { type: 'put', key: claim, value: `${project}/${name}` },
  ] as const;
  if (!(await state.commit(operations, [key, claim]))) throw exists(project, name);
  state.networks.set(record);
  try {
    if (deps.networked) {
      await bounded('make the network', context.timings.step, deps.network.ensureNetwork(record));
    }
  } catch (failure) {
    await removeNetwork(context, record);
    throw failure;
  }
  context.events.emit('network.added', project, name, {});
  return record;
}

/** Removes it from the host and from the store. */
export async function removeNetwork(context: Context, record: NetworkRecord): Promise<void> {
  const { state, deps } = context;
  if (deps.networked) {
    await bounded('remove the network', context.timings.step, deps.network.removeNetwork(record));
  }
  await state.commit([
    state.networks.drop(record),
    { type: 'delete', key: claims.networkIndex(record.index) },
  ]);
}

export const usersOf = (context: Context, network: NetworkRecord): string[] =>
  [...context.state.vps.values()]
    .filter((vps) => vps.project === network.project && vps.network === network.name)
    .map(({ name }) => name);

const viewNetwork = (context: Context, record: NetworkRecord): Network => ({
  name: record.name,
  project: record.project,
  bridge: bridgeName(context.deps.naming, record.index),
  ipv4: `${record.ipv4.gateway}/${record.ipv4.prefix}`,
  ipv6: `${record.ipv6.gateway}/${record.ipv6.prefix}`,
  domain: record.domain,
  usedBy: usersOf(context, record).length,
  createdAt: record.createdAt,
});

const exists = (project: string, name: string): MullionError =>
  new MullionError('already_exists', `The project ${project} has a network ${name} already.`, {
    details: { project, network: name },
  });

/** The lowest number from 0 that is not taken. */
export function lowestFree(taken: ReadonlySet<number>): number {
  let number = 0;
  while (taken.has(number)) number += 1;
  return number;
}
