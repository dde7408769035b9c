import type { ImageFiles } from '../drivers/driver.ts';

/** How a technique keeps a VPS's data: as files over those of its image, or as a disk with a file system of its own. */
export type DataForm = 'root' | 'disk';

export interface Conversion {
  readonly from: DataForm;
  readonly to: DataForm;
  /** Folder with the data as it was; nothing writes to it. */
  readonly source: string;
  /** The volume, which still holds the data in its old form and afterwards in the new one alone. */
  readonly target: string;
  readonly image: ImageFiles;
  /** Bytes of a disk that is made. */
  readonly diskSize: number;
}

export interface ConversionProgress {
  readonly step: string;
  readonly done: number;
  readonly unit: 'items' | 'bytes';
}

/** Gives a VPS's data the form that another technique needs, with owners, modes, attributes and device nodes kept. */
export interface DataConverter {
  /** @throws MullionError `conversion_refused` with the reason when the data has no equal in the other form */
  convert(
    conversion: Conversion,
    onProgress: (progress: ConversionProgress) => void,
    signal: AbortSignal,
  ): Promise<void>;
}
