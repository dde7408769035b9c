import type { RouteBodyInput } from '../contract/routes.ts';
import type { Flags, Input } from './command.ts';

/** Limits of what a VPS does a second; 0 is no limit. */
export const RATE_FLAGS = {
  'disk-read-rate': {
    kind: 'size',
    value: 'SIZE',
    summary: 'most that it reads from its disk a second, such as 50M; 0: no limit',
    default: '0',
  },
  'disk-write-rate': {
    kind: 'size',
    value: 'SIZE',
    summary: 'most that it writes to its disk a second',
    default: '0',
  },
  'disk-read-ops': {
    kind: 'number',
    value: 'N',
    summary: 'most reads from its disk a second',
    default: '0',
  },
  'disk-write-ops': {
    kind: 'number',
    value: 'N',
    summary: 'most writes to its disk a second',
    default: '0',
  },
  'network-in-rate': {
    kind: 'rate',
    value: 'BITS',
    summary: 'most that comes to it, in bits a second, such as 100M or 1G',
    default: '0',
  },
  'network-out-rate': {
    kind: 'rate',
    value: 'BITS',
    summary: 'most that it sends, in bits a second',
    default: '0',
  },
} as const satisfies Flags;

/** Those that were given. */
export const readRates = (
  flags: Input<Record<never, never>, typeof RATE_FLAGS>['flags'],
): Partial<RouteBodyInput<'vps.launch'>> => ({
  ...(flags['disk-read-rate'] === undefined ? {} : { diskReadRate: flags['disk-read-rate'] }),
  ...(flags['disk-write-rate'] === undefined ? {} : { diskWriteRate: flags['disk-write-rate'] }),
  ...(flags['disk-read-ops'] === undefined ? {} : { diskReadOps: flags['disk-read-ops'] }),
  ...(flags['disk-write-ops'] === undefined ? {} : { diskWriteOps: flags['disk-write-ops'] }),
  ...(flags['network-in-rate'] === undefined ? {} : { networkInRate: flags['network-in-rate'] }),
  ...(flags['network-out-rate'] === undefined ? {} : { networkOutRate: flags['network-out-rate'] }),
});
