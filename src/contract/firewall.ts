import * as z from 'zod';
import { DIRECTIONS, RULE_ACTIONS, RULE_PROTOCOLS } from './firewall-words.ts';
import { NAME_PATTERN, NameSchema, VpsNameSchema } from './names.ts';

export const GroupNameSchema = NameSchema.describe('Name of a firewall group');

const PortsSchema = z
  .string()
  .regex(/^\d{1,5}(-\d{1,5})?$/, 'must be a port such as 443, or a range such as 8000-8100')
  .refine((text) => {
    const [first = 0, last = first] = text.split('-').map(Number);
    return first >= 1 && first <= last && last <= 65_535;
  }, 'must lie between 1 and 65535, the smaller port first');

const named = (text: string): boolean => {
  const [kind, name] = text.split(':');
  return (
    (kind === 'group' || kind === 'vps') && NAME_PATTERN.test(name ?? '') && text.split(':').length === 2
  );
};
const isAddress = (text: string): boolean =>
  [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()].some((schema) => schema.safeParse(text).success);

export const PeerSchema = z
  .string()
  .max(64)
  .refine(
    (text) => text === 'any' || named(text) || isAddress(text),
    'must be any, an address, a subnet, group:NAME or vps:NAME',
  )
  .describe('the other end: any, an address or subnet, group:NAME or vps:NAME of the same project');

export const FirewallRuleSchema = z.strictObject({
  direction: z.enum(DIRECTIONS).describe('in: begun by the other end; out: begun by the VPS'),
  action: z.enum(RULE_ACTIONS).default('accept'),
  protocol: z.enum(RULE_PROTOCOLS).default('any'),
  ports: z.array(PortsSchema).max(32).default([]).describe('ports at the receiving end; empty: all'),
  peer: PeerSchema.default('any'),
});
export type FirewallRule = z.infer<typeof FirewallRuleSchema>;
export const NewFirewallRuleSchema = FirewallRuleSchema.refine(
  ({ protocol, ports }) => ports.length === 0 || protocol === 'tcp' || protocol === 'udp',
  { path: ['ports'], message: 'belong to the protocols tcp and udp' },
);

const CountSchema = z.object({ packets: z.number().int(), bytes: z.number().int() });

export const FirewallGroupSchema = z.object({
  name: z.string(),
  project: z.string(),
  description: z.string(),
  rules: z.array(FirewallRuleSchema.extend({ count: CountSchema.describe('packets that it decided on') })),
  members: z.array(z.string()).describe('names of VPSs'),
  createdAt: z.iso.datetime(),
});
export type FirewallGroup = z.infer<typeof FirewallGroupSchema>;

export const CreateGroupRequestSchema = z.strictObject({
  name: GroupNameSchema,
  description: z.string().max(1000).default(''),
});
export type CreateGroupRequest = z.infer<typeof CreateGroupRequestSchema>;
export const JoinGroupRequestSchema = z.strictObject({ vps: VpsNameSchema });
