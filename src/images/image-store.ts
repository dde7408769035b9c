import type { BuildImageRequest, ImagePart } from '../contract/resources.ts';
import type { ImageFiles } from '../drivers/driver.ts';

/** What is known of an image on this node; persisted beside its parts as `image.json`. */
export interface ImageRecord {
  readonly id: string;
  readonly name: string;
  readonly project: string;
  readonly origin: string;
  readonly digest: string;
  readonly parts: readonly ImagePart[];
  readonly size: number;
  readonly minimumDisk: number;
  readonly architecture: string;
  readonly createdAt: string;
}

/** One line of a build's tree of progress. */
export interface ImageProgress {
  /** Names the part of the work: it becomes a child of the task's progress. */
  readonly step: string;
  readonly done?: number | undefined;
  readonly total?: number | undefined;
  readonly unit?: 'bytes' | 'items' | 'percent' | undefined;
  readonly message?: string | undefined;
}

export interface ImageStore {
  /** Reads what is there, and removes what a killed build left. */
  open(): Promise<void>;
  list(): readonly ImageRecord[];
  /** A project's own image, or else one of the project `default`. */
  find(project: string, name: string): ImageRecord | undefined;
  files(id: string): ImageFiles;
  /** Builds, or answers the same image when its digest exists. A build that failed is resumed by the next. */
  build(
    project: string,
    request: BuildImageRequest,
    onProgress: (progress: ImageProgress) => void,
    signal: AbortSignal,
  ): Promise<ImageRecord>;
  /**
   * An image whose parts `fill` puts into an empty folder, as they lay in another store. What fails leaves nothing.
   * @throws insufficient_disk
   */
  adopt(record: ImageRecord, fill: (folder: string) => Promise<void>): Promise<ImageRecord>;
  delete(id: string): Promise<void>;
}
