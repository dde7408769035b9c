import type { FirewallRule } from '../contract/firewall.ts';
import { ruleCounterName } from '../core/firewall-counters.ts';
import { linkName } from '../core/naming.ts';
import type { FirewallMember, FirewallPeer, FirewallSpec } from '../network/network.ts';
import { bounded } from './bounded.ts';
import type { Context } from './context.ts';
import type { FirewallGroupRecord, VpsRecord } from './records.ts';

/** A group of this name holds every VPS of its project that is in no other group. */
export const DEFAULT_GROUP = 'default';

/** Makes the host's rules those of the state. Called with every change of groups, and before a VPS is connected. */
export async function applyFirewall(context: Context): Promise<void> {
  const { deps, timings } = context;
  if (!deps.networked) return;
  await bounded('set the firewall', timings.step, deps.network.setFirewall(firewallSpec(context)));
}

/** VPSs of a group, as they are now. */
export function membersOf(context: Context, group: FirewallGroupRecord): VpsRecord[] {
  const { vps, firewallGroups } = context.state;
  if (group.name !== DEFAULT_GROUP) return group.members.flatMap((id) => vps.get(id) ?? []);
  const elsewhere = new Set(
    [...firewallGroups.values()]
      .filter(({ name, project }) => name !== DEFAULT_GROUP && project === group.project)
      .flatMap(({ members }) => members),
  );
  return context.state.vpsOfProject(group.project).filter(({ id }) => !elsewhere.has(id));
}

function firewallSpec(context: Context): FirewallSpec {
  const { naming } = context.deps;
  const { firewallGroups } = context.state;
  const member = ({ id, slot, ipv4, ipv6 }: VpsRecord): FirewallMember => ({
    vps: id,
    hostLink: linkName(naming, slot),
    addresses: [ipv4, ipv6],
  });
  return [...firewallGroups.values()]
    .sort((a, b) => a.index - b.index)
    .map((group) => ({
      index: group.index,
      rules: group.rules.map((rule) => ({
        ...rule,
        peer: peerOf(context, group.project, rule),
        counter: ruleCounterName(group.index, rule),
      })),
      members: membersOf(context, group)
        .filter(({ isolated }) => isolated !== true)
        .map(member),
    }));
}

/** A VPS or group that is gone is nobody. */
function peerOf({ state }: Context, project: string, { peer }: FirewallRule): FirewallPeer {
  if (peer === 'any') return { kind: 'any' };
  const [, kind, name = ''] = /^(group|vps):(.+)$/.exec(peer) ?? [];
  if (kind === undefined) return { kind: 'addresses', addresses: [peer] };
  if (kind === 'vps') {
    const vps = state.findVps(project, name);
    return { kind: 'addresses', addresses: vps === undefined ? [] : [vps.ipv4, vps.ipv6] };
  }
  const group = state.firewallGroups.get(`${project}/${name}`);
  return group === undefined ? { kind: 'addresses', addresses: [] } : { kind: 'group', index: group.index };
}
