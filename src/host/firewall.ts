import * as z from 'zod';
import { hasProgram } from './programs.ts';
import type { Runner } from './run.ts';

/** A chain of some firewall of this host that drops or rejects what it has not accepted of forwarded packets. */
export interface DroppingChain {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly tool: 'nft' | 'iptables' | 'iptables-legacy';
  /** A chain of the same table that is there for an administrator's own rules. */
  readonly userChain: string | undefined;
}

const ChainSchema = z.object({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  hook: z.string().optional(),
  type: z.string().optional(),
  policy: z.string().optional(),
});
const RuleSchema = z.object({
  family: z.string(),
  table: z.string(),
  chain: z.string(),
  expr: z.array(z.record(z.string(), z.unknown())).default([]),
});
export const RulesetSchema = z.object({
  nftables: z.array(z.object({ chain: ChainSchema.optional(), rule: RuleSchema.optional() })),
});
type Rule = z.infer<typeof RuleSchema>;

/** Docker's chain for rules that come before its own. */
const USER_CHAIN = 'DOCKER-USER';

/** Chains that would drop packets from and to links whose names begin with `prefix`, by nft and by iptables-legacy. */
export async function droppingChains(run: Runner, prefix: string): Promise<DroppingChain[]> {
  const { stdout } = await run(['nft', '--json', 'list', 'ruleset']);
  const found = droppingChainsOf(stdout, prefix);
  for (const [tool, family] of [
    ['iptables-legacy', 'ip'],
    ['ip6tables-legacy', 'ip6'],
  ] as const) {
    if (!hasProgram(tool)) continue;
    const { code, stdout: rules } = await run([tool, '--list-rules'], { okCodes: [0, 1, 2, 3, 4] });
    if (code === 0) found.push(...droppingLegacyChains(rules, family, prefix));
  }
  return found;
}

/** Reads `nft --json list ruleset` (libnftables-json(5)); the tables of iptables-nft are among them. */
export function droppingChainsOf(json: string, prefix: string): DroppingChain[] {
  const { nftables } = RulesetSchema.parse(JSON.parse(json));
  const rules = nftables.flatMap(({ rule }) => rule ?? []);
  const chains = nftables.flatMap(({ chain }) => chain ?? []);
  return chains
    .filter(({ hook, type, family }) => hook === 'forward' && type === 'filter' && family !== 'bridge')
    .filter(({ family, table, name, policy }) => {
      const inTable = rules.filter((rule) => rule.family === family && rule.table === table);
      const last = inTable.filter((rule) => rule.chain === name).at(-1);
      if (policy !== 'drop' && !(last !== undefined && refusesAll(last))) return false;
      return !(accepts(inTable, 'iifname', prefix) && accepts(inTable, 'oifname', prefix));
    })
    .map(({ family, table, name }) => {
      const isIptables = table === 'filter' && name === 'FORWARD';
      const user = chains.find(
        (other) => other.family === family && other.table === table && other.name === USER_CHAIN,
      );
      return { family, table, chain: name, tool: isIptables ? 'iptables' : 'nft', userChain: user?.name };
    });
}

/** A rule without a condition that ends a packet's way. */
const refusesAll = ({ expr }: Rule): boolean => {
  const words = expr.flatMap((part) => Object.keys(part)).filter((word) => word !== 'counter');
  return words.length === 1 && (words[0] === 'drop' || words[0] === 'reject');
};

/** Whether a rule accepts packets by the name of a link that covers ours. */
const accepts = (rules: readonly Rule[], key: 'iifname' | 'oifname', prefix: string): boolean =>
  rules.some(
    ({ expr }) =>
      expr.some((part) => 'accept' in part) &&
      expr.some(({ match }) => {
        const parsed = MatchSchema.safeParse(match);
        return parsed.success && parsed.data.left.meta.key === key && covers(parsed.data.right, prefix);
      }),
  );
const MatchSchema = z.object({
  op: z.literal('=='),
  left: z.object({ meta: z.object({ key: z.string() }) }),
  right: z.string(),
});
const covers = (pattern: string, prefix: string): boolean =>
  /[*+]$/.test(pattern) && prefix.startsWith(pattern.slice(0, -1));

/** Reads `iptables-legacy --list-rules` (iptables(8)). */
export function droppingLegacyChains(text: string, family: 'ip' | 'ip6', prefix: string): DroppingChain[] {
  const lines = text.split('\n');
  const last = lines.findLast((line) => line.startsWith('-A FORWARD '));
  const drops =
    lines.includes('-P FORWARD DROP') ||
    /^-A FORWARD -j (DROP|REJECT)( --reject-with \S+)?$/.test(last ?? '');
  const accepted = (flag: '-i' | '-o'): boolean =>
    lines.some((line) => {
      const link = new RegExp(`^-A (?:FORWARD|${USER_CHAIN}) ${flag} (\\S+\\+) -j ACCEPT$`).exec(line)?.[1];
      return link !== undefined && covers(link, prefix);
    });
  if (!drops || (accepted('-i') && accepted('-o'))) return [];
  const userChain = lines.includes(`-N ${USER_CHAIN}`) ? USER_CHAIN : undefined;
  return [{ family, table: 'filter', chain: 'FORWARD', tool: 'iptables-legacy', userChain }];
}

/** Commands that let packets from and to our links pass such a chain, until the host restarts. */
export function letPass({ family, table, chain, tool, userChain }: DroppingChain, prefix: string): string[] {
  const into = userChain ?? chain;
  if (tool === 'nft') {
    return ['iifname', 'oifname'].map(
      (key) => `nft insert rule ${family} ${table} ${into} ${key} '"${prefix}*"' accept`,
    );
  }
  const program = family === 'ip6' ? tool.replace('iptables', 'ip6tables') : tool;
  return ['-i', '-o'].map((flag) => `${program} -I ${into} ${flag} ${prefix}+ -j ACCEPT`);
}
