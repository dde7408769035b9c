import { readFileSync } from 'node:fs';
import { RulesetSchema } from './firewall.ts';
import type { Runner } from './run.ts';
import { hasCode } from './system-error.ts';

/** Where a packet for others, and what this host itself sends, can be ended; what comes for the host itself is not meant. */
const HOOKS: readonly string[] = ['prerouting', 'forward', 'output', 'postrouting'];
const LEGACY = [
  ['iptables-legacy', '/proc/net/ip_tables_names'],
  ['ip6tables-legacy', '/proc/net/ip6_tables_names'],
] as const;

/**
 * A chain of another firewall of this host that may end the way of packets, for people to read; undefined when there is
 * none. Tables whose names begin with `own` are left out.
 */
export async function otherFilter(run: Runner, own: string): Promise<string | undefined> {
  const { stdout } = await run(['nft', '--json', '--terse', 'list', 'ruleset']);
  const found = filterOf(stdout, own);
  if (found !== undefined) return found;
  for (const [program, names] of LEGACY) {
    // Only to ask would load a table that is not there.
    for (const table of lines(names)) {
      const { stdout: rules } = await run([program, '--table', table, '--list-rules']);
      if (legacyFilters(rules)) return `${program} ${table}`;
    }
  }
  return undefined;
}

/** Reads `nft --json list ruleset` (libnftables-json(5)). */
export function filterOf(json: string, own: string): string | undefined {
  const { nftables } = RulesetSchema.parse(JSON.parse(json));
  const refusing = new Set(
    nftables.flatMap(({ rule }) =>
      rule?.expr.some((part) => 'drop' in part || 'reject' in part) === true
        ? [`${rule.family} ${rule.table}`]
        : [],
    ),
  );
  const chain = nftables
    .flatMap(({ chain: one }) => one ?? [])
    .find(
      ({ family, table, hook, policy }) =>
        ['ip', 'ip6', 'inet'].includes(family) &&
        !table.startsWith(own) &&
        HOOKS.includes(hook ?? '') &&
        (policy === 'drop' || refusing.has(`${family} ${table}`)),
    );
  return chain === undefined ? undefined : `${chain.family} ${chain.table} ${chain.name}`;
}

/** Reads `iptables-legacy --list-rules` (iptables(8)). */
export const legacyFilters = (text: string): boolean =>
  text
    .split('\n')
    .some((line) => /^-P (?!INPUT )\S+ DROP|^-A (?!INPUT )\S+ (.* )?-j (DROP|REJECT)( |$)/.test(line));

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch (failure) {
    if (hasCode(failure, 'ENOENT')) return [];
    throw failure;
  }
}
