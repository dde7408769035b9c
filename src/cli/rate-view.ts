import { formatRate } from '../contract/rate-text.ts';
import { formatSize } from '../contract/size-text.ts';
import type { Limits } from '../contract/vps.ts';

/** The same in short, such as `w20M out100M`; - without any. */
export function briefRates(limits: Limits): string {
  const part = (what: string, rate: number, text: string): string[] => (rate === 0 ? [] : [`${what}${text}`]);
  const parts = [
    ...part('r', limits.diskReadRate, formatSize(limits.diskReadRate)),
    ...part('w', limits.diskWriteRate, formatSize(limits.diskWriteRate)),
    ...part('rops', limits.diskReadOps, String(limits.diskReadOps)),
    ...part('wops', limits.diskWriteOps, String(limits.diskWriteOps)),
    ...part('in', limits.networkInRate, formatRate(limits.networkInRate)),
    ...part('out', limits.networkOutRate, formatRate(limits.networkOutRate)),
  ];
  return parts.length === 0 ? '-' : parts.join(' ');
}

/** The limits of rates that a VPS has, for people; empty without any. */
export function describeRates(limits: Limits): string {
  const part = (what: string, rate: number, text: string): string[] =>
    rate === 0 ? [] : [`${what} ${text}`];
  const size = (rate: number): string => `${formatSize(rate)}/s`;
  const bits = (rate: number): string => `${formatRate(rate)}bit/s`;
  return [
    ...part('disk read', limits.diskReadRate, size(limits.diskReadRate)),
    ...part('disk read', limits.diskReadOps, `${limits.diskReadOps}/s`),
    ...part('disk write', limits.diskWriteRate, size(limits.diskWriteRate)),
    ...part('disk write', limits.diskWriteOps, `${limits.diskWriteOps}/s`),
    ...part('network in', limits.networkInRate, bits(limits.networkInRate)),
    ...part('network out', limits.networkOutRate, bits(limits.networkOutRate)),
  ]
    .map((text) => `${text} at most`)
    .join(', ');
}
