import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { craftTar, HONEST, type Member } from './crafted-archive.ts';

/** One image of an archive; its file `etc/who` says its name. */
export interface CraftedImage {
  readonly says: string;
  readonly architecture?: string;
}

export interface Blob {
  readonly digest: string;
  readonly size: number;
}

/** What a manifest says of a blob. */
export type Descriptor = Blob & { readonly mediaType: string };

const TYPE = 'application/vnd.oci.image';

/** Archives of images, made member by member. */
export class ImageArchiveCraft {
  readonly #members: Member[] = [];

  blob(content: Buffer | object): Blob {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hex = createHash('sha256').update(bytes).digest('hex');
    this.#members.push({ name: `blobs/sha256/${hex}`, content: bytes });
    return { digest: `sha256:${hex}`, size: bytes.length };
  }

  /** A blob whose name is not its sum. */
  lie(name: Blob, content: Buffer): void {
    this.#members.push({ name: `blobs/sha256/${name.digest.slice('sha256:'.length)}`, content });
  }

  /** Layer, configuration and manifest; what an index says of it. */
  image({ says, architecture = 'amd64' }: CraftedImage): Descriptor {
    return this.layered([craftTar([...HONEST, { name: 'etc/who', content: says }])], { architecture });
  }

  /** An image of these layers, which are packed; `config` stands in its configuration. */
  layered(layers: readonly Buffer[], config: object): Descriptor {
    const described = this.config(layers, config);
    return this.manifest(
      described,
      layers.map((layer) => this.layer(gzipSync(layer))),
    );
  }

  config(layers: readonly Buffer[], config: object): Blob {
    const sums = layers.map((layer) => `sha256:${createHash('sha256').update(layer).digest('hex')}`);
    return this.blob({
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: sums },
      history: [],
      ...config,
    });
  }

  layer(packed: Buffer): Descriptor {
    return { mediaType: `${TYPE}.layer.v1.tar+gzip`, ...this.blob(packed) };
  }

  manifest(config: Blob, layers: readonly Descriptor[]): Descriptor {
    const mediaType = `${TYPE}.manifest.v1+json`;
    const described = { mediaType: `${TYPE}.config.v1+json`, ...config };
    return { mediaType, ...this.blob({ schemaVersion: 2, mediaType, config: described, layers }) };
  }

  index(manifests: readonly object[]): object {
    return { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
  }

  /** The archive of an OCI layout, with its index at the end. */
  oci(manifests: readonly object[]): Buffer {
    return craftTar([
      { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
      ...this.#members,
      { name: 'index.json', content: JSON.stringify(this.index(manifests)) },
    ]);
  }
}

/** What `docker save` of several images gives. */
export function dockerArchive(
  images: readonly (CraftedImage & { readonly tags: readonly string[] })[],
): Buffer {
  const members: Member[] = [];
  const manifest = images.map(({ says, architecture = 'amd64', tags }) => {
    const layer = craftTar([...HONEST, { name: 'etc/who', content: says }]);
    const hex = createHash('sha256').update(layer).digest('hex');
    const config = JSON.stringify({
      architecture,
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [`sha256:${hex}`] },
    });
    const name = `${createHash('sha256').update(config).digest('hex')}.json`;
    members.push({ name, content: config }, { name: `${hex}/layer.tar`, content: layer });
    return { Config: name, RepoTags: tags, Layers: [`${hex}/layer.tar`] };
  });
  return craftTar([...members, { name: 'manifest.json', content: JSON.stringify(manifest) }]);
}
