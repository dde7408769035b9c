import type { BackupBackend, DiskInspector } from '../backup/backup.ts';
import { MullionError } from '../contract/errors.ts';
import type { Check } from '../contract/resources.ts';
import { TECHNIQUE_FACTS, type Technique } from '../contract/techniques.ts';
import type { AuditTrail } from '../core/audit-trail.ts';
import type { HostCapacity } from '../core/capacity.ts';
import type { Counters } from '../core/counters.ts';
import type { Logger } from '../core/logger.ts';
import type { Naming } from '../core/naming.ts';
import type { Driver, MachineEnd } from '../drivers/driver.ts';
import type { DataConverter } from '../images/converter.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { NetworkBackend } from '../network/network.ts';
import type { VolumeBackend } from '../storage/volume.ts';
import type { Store } from '../store/store.ts';
import type { EarlyLinks } from './early-links.ts';
import type { EventHub } from './event-hub.ts';
import type { Holds } from './holds.ts';
import type { KeyedQueue } from './keyed-queue.ts';
import type { VpsRecord } from './records.ts';
import type { State } from './state.ts';
import type { Tasks } from './tasks.ts';

export interface HostSight extends HostCapacity {
  readonly bootId: string;
  /** For people. */
  readonly distribution: string;
  readonly kernel: string;
  readonly processor: string;
}

/** What the whole host lacks, in seconds since it was started; undefined: its kernel does not say. */
export interface HostLoad {
  readonly stolenSeconds: number;
  readonly cpuWaitedSeconds: number | undefined;
  readonly memoryStalledSeconds: number | undefined;
  readonly ioStalledSeconds: number | undefined;
}

/** Times in milliseconds. */
export interface Timings {
  /** Longest that a step may take, apart from a shutdown and the filling of a volume. */
  readonly step: number;
  readonly populate: number;
  /** Longest that a driver may take to answer a question. */
  readonly question: number;
  /** After this the health of a guest that never became ready is `unknown`. */
  readonly health: number;
  /** Between two attempts of a machine that stands still for want of room, at first; ten times that in the end. */
  readonly retry: number;
  /** How often schedules are looked at. */
  readonly schedule: number;
  /** Longest that `close` waits for steps under way. */
  readonly close: number;
}
export const TIMINGS: Timings = {
  step: 120_000,
  populate: 30 * 60_000,
  question: 10_000,
  health: 10 * 60_000,
  retry: 1_000,
  schedule: 20_000,
  close: 20_000,
};

export interface EngineDeps {
  readonly store: Store;
  readonly audit: AuditTrail;
  /** Opened already, as `images` is. */
  readonly pool: VolumeBackend;
  readonly images: ImageStore;
  readonly converter: DataConverter;
  readonly network: NetworkBackend;
  readonly backups: BackupBackend;
  readonly disks: DiskInspector;
  /** False: VPSs get no link at all. */
  readonly networked: boolean;
  /** Drivers by technique; absent: this version has none for it. */
  readonly drivers: ReadonlyMap<Technique, Driver>;
  readonly naming: Naming;
  readonly logger: Logger;
  readonly nodeName: string;
  readonly version: string;
  /** Differs between builds of one version. */
  readonly build: string;
  /** Subnet of the network `default` of the project `default`. */
  readonly defaultSubnet: string;
  readonly host: () => HostSight;
  readonly hostLoad: () => HostLoad;
  /** What `doctor` checks besides what the engine knows itself. */
  readonly checks: readonly (() => Promise<Check>)[];
  readonly clock?: (() => Date) | undefined;
  readonly timings?: Partial<Timings> | undefined;
}

export const POOL_NAME = 'default';

/** What the engine's functions share. */
export interface Context {
  readonly deps: EngineDeps;
  readonly timings: Timings;
  readonly clock: () => Date;
  readonly state: State;
  readonly events: EventHub;
  readonly tasks: Tasks;
  readonly queue: KeyedQueue;
  readonly counters: Counters;
  /** Ends the watch of a running machine, by the VPS's id. */
  readonly watches: Map<string, () => void>;
  /** Queues what follows when a machine ended by itself; it may itself lead to another watch. */
  readonly concludeEnd: (
    record: VpsRecord,
    end: MachineEnd,
    stillWanted: (record: VpsRecord) => boolean,
  ) => Promise<void>;
  readonly earlyLinks: EarlyLinks;
  /** Ids of VPSs that stand still, as the pool has no room for what they write. */
  readonly stalls: Set<string>;
  /** Calls off the next start of a VPS that ended by itself, by its id. */
  readonly revivals: Map<string, () => void>;
  /** Ids of images that are being deleted. */
  readonly imagesLeaving: Set<string>;
  readonly imagesHeld: Holds;
  /** Repositories from which a VPS or a file is brought back. */
  readonly repositoriesHeld: Holds;
  /** Ids of volumes that only live as long as a task. */
  readonly scratchVolumes: Set<string>;
  /** Drops templates of which nothing can be started any more. */
  readonly collectTemplates: () => Promise<void>;
  /** Keys of templates that are being made. */
  readonly templatesUnderWay: Set<string>;
  /** Of the host since it was started; machines of an earlier one are gone. */
  readonly bootId: string;
  /** Aborted when the engine closes. */
  readonly closing: AbortSignal;
}

export const now = (context: Context): string => context.clock().toISOString();

/** @throws technique_unavailable when this version has no driver for the technique */
export function requireDriver(context: Context, technique: Technique): Driver {
  const driver = context.deps.drivers.get(technique);
  if (driver !== undefined) return driver;
  throw new MullionError(
    'technique_unavailable',
    `This version of Mullion has no driver for ${TECHNIQUE_FACTS[technique].name} yet.`,
    { details: { technique } },
  );
}
