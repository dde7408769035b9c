import * as z from 'zod';
import {
  CreateGroupRequestSchema,
  FirewallGroupSchema,
  GroupNameSchema,
  JoinGroupRequestSchema,
  NewFirewallRuleSchema,
} from '../firewall.ts';
import { VpsNameSchema } from '../names.ts';
import { inProject, json, list, route } from './route.ts';

const group = z.strictObject({ name: GroupNameSchema });
const changed = { response: FirewallGroupSchema, ...json } as const;

/** What may reach VPSs, and what they may reach. */
export const firewallRoutes = {
  'firewall.list': route({
    method: 'GET',
    path: '/v1/firewall-groups',
    summary: 'List firewall groups',
    query: inProject,
    response: list(FirewallGroupSchema),
    ...json,
  }),
  'firewall.create': route({
    method: 'POST',
    path: '/v1/firewall-groups',
    summary: 'Create a firewall group',
    query: inProject,
    body: CreateGroupRequestSchema,
    response: FirewallGroupSchema,
    transfer: 'json',
    status: 201,
  }),
  'firewall.info': route({
    method: 'GET',
    path: '/v1/firewall-groups/:name',
    summary: 'One firewall group with its rules and what they counted',
    params: group,
    query: inProject,
    ...changed,
  }),
  'firewall.delete': route({
    method: 'DELETE',
    path: '/v1/firewall-groups/:name',
    summary: 'Delete a firewall group that no VPS is in and no rule names',
    params: group,
    query: inProject,
    response: z.void(),
    transfer: 'none',
    status: 204,
  }),
  'firewall.addRule': route({
    method: 'POST',
    path: '/v1/firewall-groups/:name/rules',
    summary: 'Add a rule at the end of a firewall group',
    params: group,
    query: inProject,
    body: NewFirewallRuleSchema,
    ...changed,
  }),
  'firewall.removeRule': route({
    method: 'DELETE',
    path: '/v1/firewall-groups/:name/rules/:number',
    summary: 'Remove a rule by its number, from 1',
    params: z.strictObject({ name: GroupNameSchema, number: z.coerce.number().int().min(1).max(1000) }),
    query: inProject,
    ...changed,
  }),
  'firewall.join': route({
    method: 'POST',
    path: '/v1/firewall-groups/:name/members',
    summary: 'Put a VPS into a firewall group',
    params: group,
    query: inProject,
    body: JoinGroupRequestSchema,
    ...changed,
  }),
  'firewall.leave': route({
    method: 'DELETE',
    path: '/v1/firewall-groups/:name/members/:vps',
    summary: 'Take a VPS out of a firewall group',
    params: z.strictObject({ name: GroupNameSchema, vps: VpsNameSchema }),
    query: inProject,
    ...changed,
  }),
} as const;
