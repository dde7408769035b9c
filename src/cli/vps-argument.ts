import type { Argument } from './command.ts';

export const VPS = { label: 'NAME', summary: 'name of a VPS', complete: 'vps' } as const satisfies Argument;
export const SNAPSHOT = {
  label: 'SNAP',
  summary: 'name of one of its snapshots',
  complete: 'snapshot',
} as const satisfies Argument;
export const MANY_VPS = {
  label: 'NAME',
  summary: 'names of one or more VPSs',
  arity: 'many',
  complete: 'vps',
} as const satisfies Argument;
