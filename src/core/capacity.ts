import { MullionError } from '../contract/errors.ts';
import { DISK_RATE_NAMES, hasDiskRates } from '../contract/rates.ts';
import { formatSize, MIB } from '../contract/sizes.ts';
import type { Features } from '../contract/techniques.ts';
import type { Limits } from '../contract/vps.ts';

/** What the rules need to know of the host; sizes in bytes. */
export interface HostCapacity {
  readonly cpus: number;
  readonly memoryTotal: number;
  readonly memoryAvailable: number;
}

export interface Demand {
  readonly limits: Limits;
  readonly features: Features;
  /** The technique gives the VPS a disk of its own size, not a share of the pool. */
  readonly givesDisk: boolean;
  /** Smallest disk that holds the image. */
  readonly minimumDisk: number;
}

export interface Commitments {
  /** Memory promised to VPSs with a kernel of their own that run or start, in bytes. */
  readonly ownKernelMemory: number;
  /** The part of it of VPSs that have not begun to use theirs. */
  readonly startingMemory: number;
}

/** A host keeps this much memory for itself. */
const HOST_RESERVE = 64 * MIB;
/** What a disk image's volume may take beyond the disk: extents that are overwritten in part stay until none of them is used. */
const DISK_FACTOR = 2;
const DISK_SLACK = 64 * MIB;

/** The limit of a VPS's volume in bytes, for a disk limit of `disk`. */
export const volumeLimit = (disk: number, givesDisk: boolean): number =>
  givesDisk ? DISK_FACTOR * disk + DISK_SLACK : disk;

/** What a hypervisor has is its driver's to ask for. @throws insufficient_cpus, not_supported */
export function requireCpus(demand: Demand, host: HostCapacity): void {
  const { cpus } = demand.limits;
  if (cpus > host.cpus && !demand.features.resourcesApart) {
    throw new MullionError('insufficient_cpus', `${cpus} cpus were asked for; the host has ${host.cpus}.`, {
      remedy: `Ask for at most ${host.cpus} cpus`,
      details: { asked: cpus, available: host.cpus },
    });
  }
  if (cpus > 1 && !demand.features.severalCpus) {
    throw new MullionError('not_supported', `This technique gives one processor at most, not ${cpus}.`, {
      remedy: 'Ask for 1, or choose a technique with several: mullion techniques',
      details: { asked: cpus },
    });
  }
  if (!Number.isInteger(cpus) && !demand.features.fractionalCpus) {
    throw new MullionError('not_supported', `This technique gives whole processors only, not ${cpus}.`, {
      remedy: `Ask for ${Math.ceil(cpus)}, or choose a technique with fractions: mullion techniques`,
      details: { asked: cpus },
    });
  }
}

/** `name`: of the VPS, where there is one already that has them. @throws not_supported */
export function requireRates({ limits, features }: Demand, name?: string): void {
  if (features.diskRates || !hasDiskRates(limits)) return;
  const given = DISK_RATE_NAMES.filter((rate) => limits[rate] > 0);
  throw new MullionError(
    'not_supported',
    'This technique cannot limit what a VPS reads and writes a second.',
    {
      remedy:
        name === undefined
          ? `Leave ${DISK_RATE_NAMES.join(', ')} at 0, or choose another technique: mullion techniques`
          : `Take its limits away first: mullion set ${name} ${given.map((rate) => `${rate}=0`).join(' ')}`,
      details: { rates: given },
    },
  );
}

/**
 * A VPS that shares the host's kernel takes memory as it needs it, so only the host's total bounds its limit; one
 * with a kernel of its own sooner or later takes all of it. `held`: bytes that it has of the host already.
 * @throws insufficient_memory
 */
export function requireMemory(demand: Demand, host: HostCapacity, committed: Commitments, held = 0): void {
  if (demand.features.resourcesApart) return;
  const asked = demand.limits.memory;
  const refuse = (available: number, why: string): never => {
    const most = Math.max(0, available);
    throw new MullionError(
      'insufficient_memory',
      `${formatSize(asked)} of memory were asked for; ${why}: ${formatSize(most)}.`,
      { details: { asked, available: most } },
    );
  };
  if (asked > host.memoryTotal) refuse(host.memoryTotal, 'the host has less in all');
  if (!demand.features.ownKernel) return;
  const unpromised = host.memoryTotal - HOST_RESERVE - committed.ownKernelMemory;
  if (asked > unpromised) refuse(unpromised, 'less is left that no other VPS was promised');
  const free = host.memoryAvailable + held - HOST_RESERVE - committed.startingMemory;
  if (asked > free) refuse(free, 'less is free on the host now');
}

/** `free`: bytes that the pool can still hold. @throws insufficient_disk, invalid_request */
export function requireDisk(demand: Demand, free: number): void {
  const asked = demand.limits.disk;
  if (demand.givesDisk && asked < demand.minimumDisk) {
    throw new MullionError(
      'invalid_request',
      `A disk of ${formatSize(asked)} is too small for the image, which needs ${formatSize(demand.minimumDisk)}.`,
      {
        remedy: `Ask for at least --disk ${formatSize(Math.ceil(demand.minimumDisk / MIB) * MIB)}`,
        details: { asked, minimum: demand.minimumDisk },
      },
    );
  }
  if (asked > free) {
    throw new MullionError(
      'insufficient_disk',
      `A disk of ${formatSize(asked)} was asked for; the pool has ${formatSize(free)} free.`,
      { details: { asked, available: free } },
    );
  }
}

/**
 * A share of the pool shrinks down to what is used; a disk of its own size never does, as a file system lies on it.
 * @throws invalid_request
 */
export function requireDiskChange(
  name: string,
  givesDisk: boolean,
  current: number,
  asked: number,
  used: number,
): void {
  if (asked >= current || (!givesDisk && asked >= used)) return;
  throw new MullionError(
    'invalid_request',
    `The disk of ${name} is ${formatSize(current)} large, ${formatSize(used)} of it used; it cannot shrink to ${formatSize(asked)}.`,
    {
      remedy: givesDisk
        ? 'A disk of this technique only grows: launch a VPS with a smaller one and copy the data'
        : 'Delete something in it first, or ask for more than is used',
      details: { current, used, asked },
    },
  );
}
