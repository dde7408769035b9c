import * as z from 'zod';
import type { MullionError } from '../../contract/errors.ts';
import { IndexSchema, parseDocument } from './layout.ts';
import { refused, shown } from './refused.ts';

/** One of the images that an archive holds. */
export interface ArchivedImage {
  /** What it is called there: whole names with tags, or tags alone. */
  readonly names: readonly string[];
  /** OS/ARCHITECTURE[/VARIANT]; undefined where the archive does not say. */
  readonly platform: string | undefined;
  /** Of its manifest; undefined where the archive has none. */
  readonly digest: string | undefined;
}

/** The annotation by which tools name an image of a layout (OCI image specification 1.0, annotations.md). */
const REF_NAME = 'org.opencontainers.image.ref.name';
/** The same by containerd and BuildKit, which write the whole name there and the tag alone in the other. */
const CONTAINERD_NAME = 'io.containerd.image.name';
const SHOWN = 12;

/** Those of an index.json (OCI image specification 1.0, image-layout.md). @throws MullionError `image_refused` */
export const imagesOfIndex = (text: string): ArchivedImage[] =>
  parseDocument(IndexSchema, text, 'index').manifests.map(({ annotations, platform, digest }) => ({
    names: [annotations?.[CONTAINERD_NAME], annotations?.[REF_NAME]].filter((name) => name !== undefined),
    platform:
      platform === undefined
        ? undefined
        : [platform.os, platform.architecture, platform.variant]
            .filter((part) => part !== undefined)
            .join('/'),
    digest,
  }));

const DockerManifestSchema = z
  .array(z.object({ Config: z.string().max(4096).default(''), RepoTags: z.array(z.string()).nullish() }))
  .min(1)
  .max(1000);

/** Those of a manifest.json, as `docker save` writes it. @throws MullionError `image_refused` */
export const imagesOfDockerManifest = (text: string): ArchivedImage[] =>
  parseDocument(DockerManifestSchema, text, 'manifest').map(({ RepoTags, Config }) => {
    const sum = /([0-9a-f]{64})/.exec(Config)?.[1];
    return {
      names: RepoTags ?? [],
      platform: undefined,
      digest: sum === undefined ? undefined : `sha256:${sum}`,
    };
  });

/**
 * The place of the one image that is meant: by its name, tag, digest or platform, else by the platform of this host.
 * @throws MullionError `image_refused` with a list of what is there
 */
export function chooseImage(
  images: readonly ArchivedImage[],
  wanted: string | undefined,
  architecture: string,
): number {
  const [only] = images;
  if (only === undefined) throw refused('damaged', 'The archive has no image.');
  const all = images.map((image, index) => ({ image, index }));
  const meant = wanted === undefined ? all : all.filter(({ image }) => isMeant(image, wanted));
  if (meant.length === 0) throw several(images, `The archive has no image ${shown(wanted ?? '')}.`);
  const here = meant.filter(({ image: { platform } }) => fits(platform, architecture));
  // Named by its platform, it is what was asked for; whether this host runs it is told later.
  const [first, ...others] = here.length > 0 ? here : meant;
  if (first !== undefined && others.length === 0) return first.index;
  throw several(
    images,
    wanted === undefined
      ? `The archive has ${images.length} images.`
      : `The archive has ${here.length || meant.length} images that ${shown(wanted)} may mean.`,
  );
}

function isMeant({ names, platform, digest }: ArchivedImage, wanted: string): boolean {
  const named = names.some((name) => name === wanted || shortName(name) === wanted || tagOf(name) === wanted);
  const hex = /^(?:sha256:)?([0-9a-f]{12,64})$/.exec(wanted)?.[1];
  return named || platform === wanted || (hex !== undefined && digest?.startsWith(`sha256:${hex}`) === true);
}

/** `docker.io/library/alpine:3` is called alpine:3 (distribution/reference, familiar names). */
const shortName = (name: string): string => name.replace(/^docker\.io\/(?:library\/)?/, '');
const tagOf = (name: string): string => name.split(/:(?=[^/]*$)/)[1] ?? name;

function fits(platform: string | undefined, architecture: string): boolean {
  if (platform === undefined) return true;
  const [os, of] = platform.split('/');
  return os === 'linux' && of === architecture;
}

function several(images: readonly ArchivedImage[], message: string): MullionError {
  const list = images.map(describe);
  const more = list.length > SHOWN ? `, and ${list.length - SHOWN} more` : '';
  return refused('several', `${message} It holds: ${list.slice(0, SHOWN).join('; ')}${more}.`);
}

function describe({ names, platform, digest }: ArchivedImage): string {
  const name =
    names.length > 0 ? names.map(shown).join(', ') : (digest?.slice(0, 19) ?? 'one without a name');
  return platform === undefined ? name : `${name} (${shown(platform)})`;
}
