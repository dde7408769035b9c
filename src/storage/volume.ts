import type { Pool } from '../contract/resources.ts';

export interface VolumeUsage {
  /** Bytes this volume is charged for. */
  readonly used: number;
  readonly limit: number | undefined;
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
  info(): Promise<Omit<Pool, 'name'>>;
  /** Larger only. @throws not_supported, insufficient_disk */
  grow(size: number, onProgress: (done: number, total: number) => void): Promise<void>;

  /** @throws already_exists, insufficient_disk */
  createVolume(id: string, limit: number): Promise<void>;
  deleteVolume(id: string): Promise<void>;
  /** @throws not_supported without quota */
  setLimit(id: string, limit: number): Promise<void>;
  usage(id: string): Promise<VolumeUsage>;
  listVolumes(): Promise<string[]>;
  volumePath(id: string): string;

  /** An empty folder under construction; `sealImage` makes it the image, read-only where the backend can. */
  stageImage(id: string): Promise<string>;
  sealImage(id: string): Promise<void>;
  deleteImage(id: string): Promise<void>;
  listImages(): Promise<{ readonly id: string; readonly sealed: boolean }[]>;
  imagePath(id: string): string;
}
