import * as z from 'zod';

/** A package file that the archive offers, as `apt-get --print-uris` names it. */
export const PackageFileSchema = z.object({
  /** As apt names it in its archives folder: name_version_architecture.deb, colons of the version as %3a. */
  file: z.string(),
  /** Bytes. */
  size: z.number(),
  hash: z.string(),
});
export type PackageFile = Readonly<z.infer<typeof PackageFileSchema>>;

/** What a recipe means today: the exact files. */
export const ResolutionSchema = z.object({
  /** Of the root file system. */
  rootfs: z.array(PackageFileSchema).readonly(),
  /** All that is downloaded: those, the kernel, and the initial file system's program. */
  all: z.array(PackageFileSchema).readonly(),
});
export type Resolution = Readonly<z.infer<typeof ResolutionSchema>>;

/** Reads `'URI' FILE SIZE HASH` lines (apt-get(8), --print-uris). */
export function parsePrintUris(output: string): PackageFile[] {
  return [...output.matchAll(/^'[^']+' (\S+\.deb) (\d+) ?(\S*)$/gm)].map(
    ([, file = '', size, hash = '']) => ({
      file,
      size: Number(size),
      hash,
    }),
  );
}

export const packageName = ({ file }: Pick<PackageFile, 'file'>): string => file.split('_')[0] ?? file;

/** The package that holds the kernel itself; the wanted one depends on it by its release. */
export const kernelPackageFile = (files: readonly PackageFile[]): PackageFile | undefined =>
  files.find((file) => /^linux-image-\d/.test(packageName(file)));

/** How far `apt-get` is, from a line of APT::Status-Fd: `dlstatus:INDEX:PERCENT:TEXT`. */
export function parseDownloadPercent(text: string): number | undefined {
  const last = [...text.matchAll(/^dlstatus:\d+:([\d.]+):/gm)].at(-1)?.[1];
  return last === undefined ? undefined : Number(last);
}

/** Of these names in apt's archives folder, the former versions of packages of which `current` has another. */
export function supersededFiles(names: readonly string[], current: readonly PackageFile[]): string[] {
  const files = new Set(current.map(({ file }) => file));
  const packages = new Set(current.map(packageName));
  return names.filter(
    (file) => file.endsWith('.deb') && !files.has(file) && packages.has(packageName({ file })),
  );
}
