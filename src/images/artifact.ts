import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

/** A finished build in the cache; every installation of this machine may copy it into its pool. */
export const ArtifactSchema = z.object({
  /** The digest of all that went into it, and the name of its folder. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  /** The digest of what was asked for, whatever versions it came to. */
  recipe: z.string(),
  /** Bytes of all parts. */
  size: z.number().int(),
  /** Bytes of the disk, the smallest that holds the image. */
  minimumDisk: z.number().int(),
  kernel: z.string(),
  packages: z.array(z.string()),
  createdAt: z.iso.datetime(),
});
export type Artifact = z.infer<typeof ArtifactSchema>;

/** Names of an image's parts in its folder, in the cache and in the pool alike. */
export const PARTS = {
  rootfs: 'rootfs',
  disk: 'disk.raw',
  vmlinuz: 'vmlinuz',
  initramfs: 'initramfs',
  bootDisk: 'boot-disk.raw',
  iso: 'image.iso',
} as const;
/** Those of a build. */
export const BUILT_PARTS = [PARTS.rootfs, PARTS.disk, PARTS.vmlinuz, PARTS.initramfs] as const;
export const ARTIFACT_FILE = 'artifact.json';

/** Undefined when there is none, or none that is whole. */
export async function readArtifact(folder: string): Promise<Artifact | undefined> {
  const text = await readFile(join(folder, ARTIFACT_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return ArtifactSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
