import type { Readable } from 'node:stream';
import type { ExportFormat, ImportImageRequest, PullImageRequest } from '../contract/image-requests.ts';
import type { BuildImageRequest, ImagePart, ImageProgram } from '../contract/resources.ts';
import type { ImageFiles } from '../drivers/driver.ts';

/** What is known of an image on this node; persisted beside its parts as `image.json`. */
export interface ImageRecord {
  readonly id: string;
  readonly name: string;
  readonly project: string;
  readonly origin: string;
  readonly digest: string;
  readonly parts: readonly ImagePart[];
  /** Parts that `provide` can make of the others. */
  readonly onDemand: readonly ImagePart[];
  readonly program: ImageProgram | null;
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

export interface TakenImage {
  readonly record: ImageRecord;
  /** What the person should know although it worked. */
  readonly warnings: readonly string[];
}

/** A file on its way out; disposing frees what was made for it. */
export interface ImageExport extends AsyncDisposable {
  readonly size: number | undefined;
  readonly content: Readable;
  /** Settles when all was given; rejects when what makes the file failed. */
  readonly ended: Promise<void>;
}

/** A volume that nothing uses, and the image that it began as. */
export interface PublishSource {
  readonly volume: string;
  readonly base: string;
}

export type OnImageProgress = (progress: ImageProgress) => void;

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
  /** Takes an image from a hostile stream of bytes. @throws MullionError `image_refused`, which leaves nothing behind */
  import(
    project: string,
    request: ImportImageRequest,
    content: AsyncIterable<Buffer>,
    onProgress: OnImageProgress,
    signal: AbortSignal,
  ): Promise<TakenImage>;
  /** Takes an image from a registry. */
  pull(
    project: string,
    request: PullImageRequest,
    onProgress: OnImageProgress,
    signal: AbortSignal,
  ): Promise<TakenImage>;
  /** Makes an image of the data of a VPS, cleaned of its identity. */
  publish(
    project: string,
    request: { readonly name: string; readonly origin: string },
    source: PublishSource,
    onProgress: OnImageProgress,
    signal: AbortSignal,
  ): Promise<TakenImage>;
  /** Makes those of the parts that are missing and can be made. */
  provide(id: string, parts: readonly ImagePart[], signal: AbortSignal): Promise<void>;
  /** @throws MullionError `image_unfit` when no such file can be made of it */
  export(
    id: string,
    format: ExportFormat | undefined,
    onProgress: OnImageProgress,
    signal: AbortSignal,
  ): Promise<ImageExport>;
  delete(id: string): Promise<void>;
}
