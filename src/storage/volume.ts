import type { Pool } from '../contract/resources.ts';

/** What people should know of a pool, and what to do about it. */
export interface PoolWarning {
  readonly message: string;
  readonly remedy: string;
}
export type PoolInfo = Omit<Pool, 'name' | 'warnings'> & { readonly warnings: readonly PoolWarning[] };

export interface VolumeUsage {
  /** Bytes this volume is charged for. */
  readonly used: number;
  readonly limit: number | undefined;
}

export interface Measure {
  readonly id: string;
  readonly total: number;
  readonly exclusive: number;
}

export interface PoolMeasures {
  readonly volumes: readonly Measure[];
  /** All snapshots of a volume as one, by its id. */
  readonly snapshots: readonly Measure[];
  /** Parts that were made of an image later, and lie in folders of their own, count for themselves. */
  readonly images: readonly Measure[];
}

/** A volume as it is now, or as one of its snapshots keeps it. */
export interface VolumeSource {
  readonly volume: string;
  readonly snapshot?: string | undefined;
}

/**
 * Where data lives. A volume holds one VPS's data, whatever its technique; an image folder holds an image's parts.
 * Every call is safe to repeat.
 */
export interface VolumeBackend {
  readonly backend: Pool['backend'];
  readonly features: Pool['features'];
  /** Makes the pool when it is not there, mounts it, and checks it. */
  open(): Promise<void>;
  /** Unmounts it; its data stays. */
  close(): Promise<void>;
  /** The gravest of its warnings comes first. */
  info(): Promise<PoolInfo>;
  /** Larger only. @throws not_supported, insufficient_disk */
  grow(size: number, onProgress: (done: number, total: number) => void): Promise<void>;

  /** What each holds, and what of it nothing else in the pool does; takes longer the more files there are. */
  measure(): Promise<PoolMeasures>;
  /**
   * Reads all data and compares it with its checksums; how many damaged blocks were repaired from a second copy.
   * @throws not_supported; command_failed for what stays damaged
   */
  check(
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<{ readonly repaired: number }>;

  /** @throws already_exists, insufficient_disk */
  createVolume(id: string, limit: number): Promise<void>;
  /** With its snapshots. */
  deleteVolume(id: string): Promise<void>;
  /** @throws not_supported without quota */
  setLimit(id: string, limit: number): Promise<void>;
  usage(id: string): Promise<VolumeUsage>;
  listVolumes(): Promise<string[]>;
  volumePath(id: string): string;

  /**
   * A read-only copy of the volume at one instant, also while something writes to it, made in one step and on the disk
   * when this answers. What it keeps does not count against the volume's limit.
   * @throws not_supported without `features.snapshots`, not_found, already_exists, insufficient_disk
   */
  createSnapshot(id: string, snapshot: string): Promise<void>;
  deleteSnapshot(id: string, snapshot: string): Promise<void>;
  listSnapshots(id: string): Promise<string[]>;
  /** Read-only. */
  snapshotPath(id: string, snapshot: string): string;
  /**
   * The volume becomes what the snapshot holds, in one step, with its limit; nothing of it may be in use.
   * @throws not_supported, not_found, insufficient_disk
   */
  restoreSnapshot(id: string, snapshot: string): Promise<void>;
  /**
   * A new volume with the same content and a limit of its own, which counts only what is written to it. At one instant
   * with `features.snapshots`; without, nothing may write to the source meanwhile, and it takes time and space.
   * @throws not_found, already_exists, insufficient_disk
   */
  cloneVolume(source: VolumeSource, id: string, limit: number): Promise<void>;

  /** An empty folder under construction; `sealImage` makes it the image, read-only where the backend can. */
  stageImage(id: string): Promise<string>;
  sealImage(id: string): Promise<void>;
  deleteImage(id: string): Promise<void>;
  listImages(): Promise<{ readonly id: string; readonly sealed: boolean }[]>;
  imagePath(id: string): string;
}
