import type { Operation } from '../store/store.ts';
import type { Context } from './context.ts';
import { DEFAULT_GROUP } from './firewall-rules.ts';
import type { FirewallGroupRecord, VpsRecord } from './records.ts';

/** Whatever changes groups waits for its turn here. */
export const FIREWALL_QUEUE = 'firewall';

/** Names of the groups that a VPS was put into. */
export const groupsOfVps = (context: Context, { id, project }: VpsRecord): string[] =>
  [...context.state.firewallGroups.values()]
    .filter((group) => isChosen(group, project) && group.members.includes(id))
    .map(({ name }) => name)
    .sort();

/** Those of the names that a VPS of the project can be put into. */
export const groupsThatExist = (context: Context, project: string, names: readonly string[]): string[] =>
  [...context.state.firewallGroups.values()]
    .filter((group) => isChosen(group, project) && names.includes(group.name))
    .map(({ name }) => name);

/**
 * Puts a new VPS into groups in memory, and answers what makes it durable. Whoever calls it has the turn in the queue.
 * Members may be gone: a VPS that does not come into being needs no more.
 */
export const joinGroups = (
  { state }: Context,
  { id, project }: VpsRecord,
  names: readonly string[],
): Operation[] =>
  names
    .flatMap((name) => state.firewallGroups.get(`${project}/${name}`) ?? [])
    .map((group) => {
      const members = group.members.filter((member) => state.vps.get(member) !== undefined);
      return state.firewallGroups.put({ ...group, members: [...new Set([...members, id])] });
    });

const isChosen = ({ name, project }: FirewallGroupRecord, of: string): boolean =>
  name !== DEFAULT_GROUP && project === of;
