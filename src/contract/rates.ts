import * as z from 'zod';
import { formatRate, MOST_RATE, parseRate } from './rate-text.ts';
import { formatSize, KIB, SizeSchema } from './sizes.ts';

export * from './rate-text.ts';

/** Less would keep a system from booting. */
const LEAST_DISK_RATE = 64 * KIB;
const LEAST_OPERATIONS = 10;
const LEAST_NETWORK_RATE = 64_000;

const diskRate = (what: string) =>
  SizeSchema.refine(
    (rate) => rate === 0 || (rate >= LEAST_DISK_RATE && rate <= MOST_RATE),
    `must be 0 for no limit, or at least ${formatSize(LEAST_DISK_RATE)}`,
  ).describe(`${what} its disk, in bytes a second, for example 20M; 0: no limit`);
const operations = (what: string) =>
  z
    .number()
    .int()
    .refine(
      (count) => count === 0 || (count >= LEAST_OPERATIONS && count <= 10_000_000),
      `must be 0 for no limit, or at least ${LEAST_OPERATIONS}`,
    )
    .describe(`${what} its disk, operations a second; 0: no limit`);
const networkRate = (what: string) =>
  z
    .union([
      z.number().int(),
      z
        .string()
        .max(32)
        .transform((text, context) => {
          const bits = parseRate(text);
          if (bits !== undefined) return bits;
          context.addIssue({ code: 'custom', message: `"${text}" is not a rate: write it like 100M or 1G` });
          return z.NEVER;
        }),
    ])
    .refine(
      (rate) => rate === 0 || (rate >= LEAST_NETWORK_RATE && rate <= MOST_RATE),
      `must be 0 for no limit, or at least ${formatRate(LEAST_NETWORK_RATE)}`,
    )
    .describe(`${what} its network, in bits a second, for example 100M; 0: no limit`);

/** What a request may ask for. */
export const RATE_REQUESTS = {
  diskReadRate: diskRate('what it reads from'),
  diskWriteRate: diskRate('what it writes to'),
  diskReadOps: operations('reads from'),
  diskWriteOps: operations('writes to'),
  networkInRate: networkRate('what comes to it from'),
  networkOutRate: networkRate('what it sends to'),
};

export const DISK_RATE_NAMES = ['diskReadRate', 'diskWriteRate', 'diskReadOps', 'diskWriteOps'] as const;
export const NETWORK_RATE_NAMES = ['networkInRate', 'networkOutRate'] as const;
export const RATE_NAMES = [...DISK_RATE_NAMES, ...NETWORK_RATE_NAMES] as const;
export type RateName = (typeof RATE_NAMES)[number];

/** Bytes and operations a second; 0: no limit. */
export type DiskRates = Readonly<Record<(typeof DISK_RATE_NAMES)[number], number>>;
/** Bits a second; 0: no limit. */
export type NetworkRates = Readonly<Record<(typeof NETWORK_RATE_NAMES)[number], number>>;
export type Rates = DiskRates & NetworkRates;

const kept = z.number().int().nonnegative().default(0);
/** As they are kept and shown. */
export const RATES = {
  diskReadRate: kept.describe('bytes a second; 0: no limit'),
  diskWriteRate: kept.describe('bytes a second; 0: no limit'),
  diskReadOps: kept.describe('operations a second; 0: no limit'),
  diskWriteOps: kept.describe('operations a second; 0: no limit'),
  networkInRate: kept.describe('bits a second; 0: no limit'),
  networkOutRate: kept.describe('bits a second; 0: no limit'),
};

export const NO_RATES: Rates = {
  diskReadRate: 0,
  diskWriteRate: 0,
  diskReadOps: 0,
  diskWriteOps: 0,
  networkInRate: 0,
  networkOutRate: 0,
};

export const hasDiskRates = (rates: DiskRates): boolean => DISK_RATE_NAMES.some((name) => rates[name] > 0);

export const hasNetworkRates = (rates: NetworkRates): boolean =>
  NETWORK_RATE_NAMES.some((name) => rates[name] > 0);

export const ratesOf = (rates: Rates): Rates => ({
  diskReadRate: rates.diskReadRate,
  diskWriteRate: rates.diskWriteRate,
  diskReadOps: rates.diskReadOps,
  diskWriteOps: rates.diskWriteOps,
  networkInRate: rates.networkInRate,
  networkOutRate: rates.networkOutRate,
});
