import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Jails } from '../../host/jail/jails.ts';
import { type ArchivedImage, chooseImage, imagesOfDockerManifest, imagesOfIndex } from './archived-images.ts';
import { lastLine } from './decompress.ts';
import { type Descriptor, IndexSchema, parseDocument } from './layout.ts';
import { refused } from './refused.ts';
import { requireItsOwnEnd } from './struck.ts';

export interface ImageArchive {
  readonly kind: 'oci-archive' | 'docker-archive';
  /** The folder and the name of the file. */
  readonly folder: string;
  readonly name: string;
}

/** What is taken of an archive. */
export interface Wanted {
  readonly image: string | undefined;
  readonly architecture: string;
}

const DOCUMENT_LIMIT = 4 * 1024 ** 2;
const INDEXES = 32;
const INDEX_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
const TIMEOUT_MS = 300_000;
const REF_NAME = 'org.opencontainers.image.ref.name';
const PICKED = 'image';

/** How skopeo(1) is told of the one image that is meant: what follows the file's name. @throws MullionError `image_refused` */
export async function pickArchived(
  jails: Jails,
  archive: ImageArchive,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<string> {
  if (archive.kind === 'docker-archive') {
    const images = imagesOfDockerManifest(await member(jails, archive, 'manifest.json', signal));
    const place = chooseImage(images, wanted.image, wanted.architecture);
    return images.length === 1 ? '' : `:@${place}`;
  }
  const text = await member(jails, archive, 'index.json', signal);
  const { images, manifests } = await flatten(jails, archive, text, signal);
  const place = chooseImage(images, wanted.image, wanted.architecture);
  if (manifests.length === 1) return '';
  await replaceIndex(jails, archive, manifests[place], signal);
  return `:${PICKED}`;
}

/** The manifests of an index and of those that it refers to, which take its names. */
async function flatten(
  jails: Jails,
  archive: ImageArchive,
  text: string,
  signal: AbortSignal,
): Promise<{ readonly images: ArchivedImage[]; readonly manifests: Descriptor[] }> {
  const top = imagesOfIndex(text);
  const images: ArchivedImage[] = [];
  const manifests: Descriptor[] = [];
  const listed = parseDocument(IndexSchema, text, 'index').manifests;
  if (listed.filter(({ mediaType }) => INDEX_TYPES.has(mediaType)).length > INDEXES)
    throw refused('format', `The archive has more than ${INDEXES} lists of images.`);
  for (const [place, descriptor] of listed.entries()) {
    const image = top[place];
    if (image === undefined) continue;
    if (!INDEX_TYPES.has(descriptor.mediaType)) {
      images.push(image);
      manifests.push(descriptor);
      continue;
    }
    const blob = `blobs/sha256/${descriptor.digest.slice('sha256:'.length)}`;
    const inner = await member(jails, archive, blob, signal);
    images.push(...imagesOfIndex(inner).map((one) => ({ ...one, names: [...image.names, ...one.names] })));
    manifests.push(...parseDocument(IndexSchema, inner, 'index').manifests);
  }
  return { images, manifests };
}

/** A small member of an archive, whichever way it is written. @throws MullionError `image_refused` */
async function member(
  jails: Jails,
  { folder, name }: ImageArchive,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  const read = `tar --extract --to-stdout --file="/in/$1" -- "$2" "./$2" | head -c ${DOCUMENT_LIMIT + 1}`;
  const result = await jails.run(
    {
      argv: ['sh', '-c', read, 'read', name, path],
      mounts: [{ source: folder, target: '/in', access: 'read' }],
      timeoutMs: TIMEOUT_MS,
    },
    signal,
  );
  requireItsOwnEnd('tar', result);
  const { stdout, stderr } = result;
  if (stdout.length > DOCUMENT_LIMIT) throw refused('too_large', `The archive's ${path} is too large.`);
  if (stdout !== '') return stdout;
  throw refused('damaged', `The archive has no ${path}: ${lastLine(stderr)}`);
}

/**
 * Gives the archive an index of one image. It stands behind the first one, whose place it takes when the archive is
 * unpacked; skopeo(1) cannot choose by digest or platform.
 */
async function replaceIndex(
  jails: Jails,
  { folder, name }: ImageArchive,
  picked: Descriptor | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (picked === undefined) throw new RangeError('an image that the archive does not have');
  const descriptor = { ...picked, annotations: { [REF_NAME]: PICKED } };
  const index = { schemaVersion: 2, manifests: [descriptor] };
  await writeFile(join(folder, 'index.json'), JSON.stringify(index), { mode: 0o600 });
  const result = await jails.run(
    {
      argv: ['tar', '--append', `--file=/in/${name}`, '--directory=/in', 'index.json'],
      mounts: [{ source: folder, target: '/in', access: 'write' }],
      timeoutMs: TIMEOUT_MS,
    },
    signal,
  );
  requireItsOwnEnd('tar', result);
  if (result.code !== 0) {
    throw refused('damaged', `The archive cannot be read to its end: ${lastLine(result.stderr)}`);
  }
}
