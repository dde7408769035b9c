import { MullionError } from '../contract/errors.ts';
import type { FirewallGroup, FirewallRule } from '../contract/firewall.ts';
import { ruleCounterName } from '../core/firewall-counters.ts';
import { type Context, now } from './context.ts';
import type { FirewallVerbs } from './contract.ts';
import { FIREWALL_QUEUE } from './firewall-members.ts';
import { applyFirewall, DEFAULT_GROUP, membersOf } from './firewall-rules.ts';
import { lowestFree } from './networks.ts';
import type { FirewallGroupRecord } from './records.ts';

const MOST_GROUPS = 100;
const MOST_RULES = 100;

export function firewallVerbs(context: Context): FirewallVerbs {
  const { state, queue, events } = context;

  const requireGroup = (project: string, name: string): FirewallGroupRecord => {
    state.requireProject(project);
    const group = state.firewallGroups.get(`${project}/${name}`);
    if (group !== undefined) return group;
    throw new MullionError('not_found', `There is no firewall group ${name} in the project ${project}.`, {
      remedy: `See what there is with: mullion firewall list; create it with: mullion firewall create ${name}`,
    });
  };
  const groupsOf = (project: string): FirewallGroupRecord[] =>
    [...state.firewallGroups.values()].filter((group) => group.project === project);

  const view = async (groups: readonly FirewallGroupRecord[]): Promise<FirewallGroup[]> => {
    const counts = await context.deps.network.firewallCounts();
    return groups.map((group) => ({
      name: group.name,
      project: group.project,
      description: group.description,
      rules: group.rules.map((rule) => ({
        ...rule,
        count: counts.get(ruleCounterName(group.index, rule)) ?? { packets: 0, bytes: 0 },
      })),
      members: membersOf(context, group)
        .map(({ name }) => name)
        .sort(),
      createdAt: group.createdAt,
    }));
  };
  const viewOne = async (group: FirewallGroupRecord): Promise<FirewallGroup> => {
    const [seen] = await view([group]);
    if (seen === undefined) throw new MullionError('internal', `The firewall group ${group.name} is gone.`);
    return seen;
  };

  /** The host has the change before the store has: what it refuses was never there. */
  const change = (
    project: string,
    name: string,
    edit: (group: FirewallGroupRecord) => FirewallGroupRecord,
  ): Promise<FirewallGroup> =>
    queue.run(FIREWALL_QUEUE, async () => {
      const before = requireGroup(project, name);
      const present = { ...before, members: before.members.filter((id) => state.vps.get(id) !== undefined) };
      const after = edit(present);
      state.firewallGroups.set(after);
      try {
        await applyFirewall(context);
      } catch (failure) {
        state.firewallGroups.set(before);
        await applyFirewall(context).catch(() => undefined);
        throw failure;
      }
      await state.commit([state.firewallGroups.put(after)]);
      events.emit('firewall.changed', project, name, {});
      return viewOne(after);
    });

  return {
    async list(project) {
      state.requireProject(project);
      return view(groupsOf(project).sort((a, b) => (a.name < b.name ? -1 : 1)));
    },
    async info(project, name) {
      return viewOne(requireGroup(project, name));
    },
    create: (project, { name, description }) =>
      queue.run(FIREWALL_QUEUE, async () => {
        state.requireProject(project);
        const others = groupsOf(project);
        if (others.some((group) => group.name === name)) {
          throw new MullionError(
            'already_exists',
            `The project ${project} has a firewall group ${name} already.`,
          );
        }
        if (others.length >= MOST_GROUPS)
          throw full(`The project ${project} has ${MOST_GROUPS} groups already.`);
        const indexes = new Set([...state.firewallGroups.values()].map(({ index }) => index));
        const group = {
          index: lowestFree(indexes),
          name,
          project,
          description,
          rules: [],
          members: [],
          createdAt: now(context),
        };
        state.firewallGroups.set(group);
        try {
          await applyFirewall(context);
        } catch (failure) {
          state.firewallGroups.drop(group);
          throw failure;
        }
        await state.commit([state.firewallGroups.put(group)]);
        events.emit('firewall.added', project, name, {});
        return viewOne(group);
      }),
    delete: (project, name) =>
      queue.run(FIREWALL_QUEUE, async () => {
        const group = requireGroup(project, name);
        requireUnused(context, group, groupsOf(project));
        const gone = state.firewallGroups.drop(group);
        try {
          await applyFirewall(context);
        } catch (failure) {
          state.firewallGroups.set(group);
          throw failure;
        }
        await state.commit([gone]);
        events.emit('firewall.removed', project, name, {});
      }),
    addRule: (project, name, rule) =>
      change(project, name, (group) => {
        requirePeer(context, project, rule);
        if (group.rules.length >= MOST_RULES)
          throw full(`The group ${name} has ${MOST_RULES} rules already.`);
        return { ...group, rules: [...group.rules, rule] };
      }),
    removeRule: (project, name, number) =>
      change(project, name, (group) => {
        if (number <= group.rules.length) {
          return { ...group, rules: group.rules.filter((_rule, position) => position !== number - 1) };
        }
        throw new MullionError('not_found', `The group ${name} has no rule ${number}.`, {
          remedy: `See them with: mullion firewall info ${name}`,
        });
      }),
    join: (project, name, vps) =>
      change(project, name, (group) => {
        requireOrdinary(name);
        const { id } = state.requireVps(project, vps);
        return { ...group, members: [...new Set([...group.members, id])] };
      }),
    leave: (project, name, vps) =>
      change(project, name, (group) => {
        requireOrdinary(name);
        const { id } = state.requireVps(project, vps);
        return { ...group, members: group.members.filter((member) => member !== id) };
      }),
  };
}

function requireOrdinary(name: string): void {
  if (name !== DEFAULT_GROUP) return;
  throw new MullionError(
    'invalid_request',
    `The group ${DEFAULT_GROUP} holds whatever is in no other group.`,
    {
      remedy: 'Put the VPS into another group, or take it out of its groups',
    },
  );
}

function requirePeer({ state }: Context, project: string, { peer }: FirewallRule): void {
  const [, kind, name = ''] = /^(group|vps):(.+)$/.exec(peer) ?? [];
  if (kind === 'vps') state.requireVps(project, name);
  if (kind === 'group' && state.firewallGroups.get(`${project}/${name}`) === undefined) {
    throw new MullionError('not_found', `There is no firewall group ${name} in the project ${project}.`);
  }
}

function requireUnused(
  context: Context,
  group: FirewallGroupRecord,
  groups: readonly FirewallGroupRecord[],
): void {
  const members = group.name === DEFAULT_GROUP ? [] : membersOf(context, group);
  const naming = groups.filter(
    (other) => other !== group && other.rules.some(({ peer }) => peer === `group:${group.name}`),
  );
  const users = [
    ...members.map(({ name }) => `the VPS ${name}`),
    ...naming.map(({ name }) => `a rule of ${name}`),
  ];
  if (users.length === 0) return;
  throw new MullionError(
    'in_use',
    `The firewall group ${group.name} is used by ${users.slice(0, 5).join(', ')}.`,
    {
      remedy: 'Take its members out of it, and remove the rules that name it',
      details: { group: group.name, users: users.length },
    },
  );
}

const full = (message: string): MullionError =>
  new MullionError('quota_exceeded', message, { remedy: 'Remove some that are not needed' });
