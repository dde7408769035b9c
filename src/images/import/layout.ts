import { constants, lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { refused } from './refused.ts';

const DOCUMENT_LIMIT = 4 * 1024 ** 2;
const DigestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const DescriptorSchema = z.object({
  mediaType: z.string().default(''),
  digest: DigestSchema,
  size: z.number().int().min(0),
  platform: z.object({ architecture: z.string(), os: z.string(), variant: z.string().optional() }).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Descriptor = z.infer<typeof DescriptorSchema>;

/** OCI image specification 1.0, image-index.md and manifest.md; Docker's own manifests have the same fields. */
export const IndexSchema = z.object({ manifests: z.array(DescriptorSchema).min(1).max(1000) });
export const ManifestSchema = z.object({
  config: DescriptorSchema,
  layers: z.array(DescriptorSchema).max(512),
});
export type Manifest = z.infer<typeof ManifestSchema>;

const strings = z.array(z.string()).nullish();
/** OCI image specification 1.0, config.md. */
export const ConfigSchema = z.object({
  architecture: z.string().default(''),
  os: z.string().default('linux'),
  config: z
    .object({
      User: z.string().nullish(),
      Env: strings,
      Entrypoint: strings,
      Cmd: strings,
      WorkingDir: z.string().nullish(),
      StopSignal: z.string().nullish(),
    })
    .nullish(),
});
export type OciImageConfig = z.infer<typeof ConfigSchema>;

/** @throws MullionError `image_refused` when the text is no such document */
export function parseDocument<S extends z.ZodType>(schema: S, text: string, what: string): z.output<S> {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw refused('damaged', `The ${what} of the image cannot be read.`, cause);
  }
}

/** An OCI layout on disk that a program made of hostile data: no link in it is followed. */
export class Layout {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The one image in it. */
  async manifest(): Promise<{ readonly manifest: Manifest; readonly digest: string }> {
    const index = parseDocument(IndexSchema, await this.#text(['index.json']), 'index');
    const [first] = index.manifests;
    if (first === undefined || index.manifests.length !== 1) {
      throw refused('format', 'The archive has several images: keep the one that you want.');
    }
    const text = await this.#text(this.#blob(first.digest));
    return { manifest: parseDocument(ManifestSchema, text, 'manifest'), digest: first.digest };
  }

  async config({ config }: Manifest): Promise<OciImageConfig> {
    return parseDocument(ConfigSchema, await this.#text(this.#blob(config.digest)), 'configuration');
  }

  /** Path of a layer, a plain file. */
  async layer({ digest }: Descriptor): Promise<{ readonly path: string; readonly size: number }> {
    const path = await this.#regular(this.#blob(digest));
    return { path, size: (await lstat(path)).size };
  }

  #blob(digest: string): string[] {
    return ['blobs', 'sha256', digest.slice('sha256:'.length)];
  }

  async #regular(parts: readonly string[]): Promise<string> {
    let path = this.#folder;
    for (const [index, part] of parts.entries()) {
      path = join(path, part);
      const stat = await lstat(path).catch(() => undefined);
      const fits = index === parts.length - 1 ? stat?.isFile() : stat?.isDirectory();
      if (fits !== true) throw refused('damaged', 'A part of the image is missing.');
    }
    return path;
  }

  async #text(parts: readonly string[]): Promise<string> {
    const path = await this.#regular(parts);
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      if ((await file.stat()).size > DOCUMENT_LIMIT)
        throw refused('too_large', 'A document of the image is too large.');
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  }
}
