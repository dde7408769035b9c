import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImportImageRequest, PullImageRequest } from '../../contract/image-requests.ts';
import type { ImagePart, ImageProgram } from '../../contract/resources.ts';
import type { Jails } from '../../host/jail/jails.ts';
import { PARTS } from '../artifact.ts';
import { diskSize } from '../disk-image.ts';
import { folderSize } from '../folder-size.ts';
import type { ImageProgress } from '../image-store.ts';
import { type Compression, decompressed, plainBytes, readHead } from './decompress.ts';
import { type Detected, detect, isBareFileSystem } from './detect.ts';
import { convertDisk, diskSizeOf } from './disk.ts';
import { checkDiskHeader, type DiskFormat } from './disk-header.ts';
import type { OciImageConfig } from './layout.ts';
import type { ImportLimits } from './limits.ts';
import { archiveToLayout, bytesIn, makeFolders, unpackLayout } from './oci.ts';
import { programOf } from './program.ts';
import { refused, shown } from './refused.ts';
import { fetchImage, prepareAccess, resolveReference } from './registry.ts';
import { rootFacts } from './root-facts.ts';
import { verifySignature } from './signature.ts';
import { spool, spoolSparse } from './spool.ts';
import { unpackFailed, unpackTar } from './unpack-tar.ts';

/** What came of an import, in the staging folder. */
export interface Intake {
  readonly digest: string;
  readonly parts: readonly ImagePart[];
  readonly onDemand: readonly ImagePart[];
  readonly minimumDisk: number;
  readonly program: ImageProgram | null;
  readonly warnings: readonly string[];
}

export interface ImportWork {
  readonly jails: Jails;
  readonly limits: ImportLimits;
  readonly architecture: string;
  /** An empty folder that becomes the image. */
  readonly staging: string;
  readonly onProgress: (progress: ImageProgress) => void;
  readonly signal: AbortSignal;
}

const WORK = '.work';
const UPLOAD = 'upload';

/** Takes an image from a stream of bytes. @throws MullionError `image_refused` */
export async function importFile(
  work: ImportWork,
  request: ImportImageRequest,
  content: AsyncIterable<Buffer>,
): Promise<Intake> {
  const folder = join(work.staging, WORK);
  await makeFolders(folder);
  const path = join(folder, UPLOAD);
  const { limits, signal, onProgress } = work;
  const { size, sha256 } = await spool(content, path, {
    limit: limits.bytes,
    signal,
    onBytes: (done) => onProgress({ step: 'receive the file', done, total: request.size, unit: 'bytes' }),
  });
  if (size === 0) throw refused('format', 'The file is empty.');
  if (request.size !== undefined && size !== request.size) {
    throw refused('truncated', `Only ${size} of ${request.size} bytes came.`);
  }
  if (request.sha256 !== undefined && request.sha256 !== sha256) {
    throw refused('checksum', `The file's SHA-256 is ${sha256}, not what was asked for.`);
  }
  if (request.signature !== undefined) {
    onProgress({ step: 'check the signature' });
    await verifySignature(work.jails, request.signature, { folder, name: UPLOAD }, signal);
  }
  const intake = await unpackFile(work, folder, request, size);
  await rm(folder, { recursive: true, force: true });
  return { ...intake, digest: intake.digest === '' ? `sha256:${sha256}` : intake.digest };
}

async function unpackFile(
  work: ImportWork,
  folder: string,
  request: ImportImageRequest,
  sizeIn: number,
): Promise<Intake> {
  const { format } = request;
  const path = join(folder, UPLOAD);
  const outer = detect(await readHead(path));
  if (outer !== 'gzip' && outer !== 'xz' && outer !== 'zstd') return unpackPlain(work, folder, request);
  const asDisk = DISKS.has(format);
  const options = { limits: work.limits, sizeIn, ratio: !asDisk };
  const bytes = decompressed(work.jails, path, outer satisfies Compression, options, work.signal);
  const { head, all } = await peek(bytes);
  const inner = kindOf(format, detect(head));
  if (inner === 'tar' && !isArchiveOfImages(head)) {
    requireNoChoice(request);
    return takeTar(work, all);
  }
  const plain = join(folder, 'plain');
  const onBytes = (done: number): void => work.onProgress({ step: 'decompress', done, unit: 'bytes' });
  await spoolSparse(all, plain, { limit: work.limits.bytes, signal: work.signal, onBytes });
  await rename(plain, path);
  return unpackPlain(work, folder, request);
}

const DISKS: ReadonlySet<string> = new Set(['raw', 'qcow2', 'vmdk', 'vdi', 'iso']);
type Kind = Exclude<ImportImageRequest['format'], 'auto'>;

/** What was said, when the bytes agree; else what they are. @throws MullionError `image_refused` */
function kindOf(format: ImportImageRequest['format'], detected: Detected | undefined): Kind {
  if (detected === 'gzip' || detected === 'xz' || detected === 'zstd') {
    throw refused('format', 'The file is compressed twice.');
  }
  if (format === 'raw') return 'raw';
  if (format === 'auto') {
    if (detected !== undefined) return detected;
    throw refused('format', 'The file is none of what can be imported, by its first bytes.');
  }
  const same = format === 'oci-archive' || format === 'docker-archive' ? 'tar' : format;
  if (detected === same) return format;
  throw refused(
    'format',
    `The file is not of the format ${format}: its first bytes say ${detected ?? 'nothing known'}.`,
  );
}

/** The first member of an image's archive is one that no root file system has. */
const isArchiveOfImages = (head: Buffer): boolean => archiveKind(head) !== undefined;
function archiveKind(head: Buffer): 'oci-archive' | 'docker-archive' | undefined {
  for (let at = 0; at + 512 <= head.length; at += 512) {
    const name = head
      .toString('latin1', at, at + 100)
      .replace(/\0[\s\S]*$/, '')
      .replace(/^(?:\.\/)+/, '');
    if (name === '' || name === '.') continue;
    if (/^(?:oci-layout|index\.json|blobs\/)/.test(name)) return 'oci-archive';
    if (/^(?:manifest\.json|repositories$|[0-9a-f]{64}(?:\/|\.json|\.tar))/.test(name))
      return 'docker-archive';
    return undefined;
  }
  return undefined;
}

async function unpackPlain(work: ImportWork, folder: string, request: ImportImageRequest): Promise<Intake> {
  const { format, image } = request;
  const path = join(folder, UPLOAD);
  const head = await readHead(path);
  const said = kindOf(format, detect(head));
  const kind = (said === 'tar' && format === 'auto' ? archiveKind(head) : undefined) ?? said;
  if (kind === 'oci-archive' || kind === 'docker-archive') return takeArchive(work, folder, kind, image);
  requireNoChoice(request);
  switch (kind) {
    case 'tar':
      return takeTar(work, plainBytes(path));
    case 'iso':
      await rename(path, join(work.staging, PARTS.iso));
      return { ...NOTHING, parts: ['iso'] };
    case 'raw':
    case 'qcow2':
    case 'vmdk':
    case 'vdi':
      return takeDisk(work, folder, kind, head);
  }
}

/** @throws MullionError `image_refused` when an image was named of a file that has no several */
function requireNoChoice({ image }: ImportImageRequest): void {
  if (image === undefined) return;
  throw refused('format', `The file is no archive of images, of which ${shown(image)} could be one.`);
}

const NOTHING: Intake = { digest: '', parts: [], onDemand: [], minimumDisk: 0, program: null, warnings: [] };

async function takeTar(work: ImportWork, bytes: AsyncIterable<Buffer>): Promise<Intake> {
  const { jails, staging, limits, signal, onProgress } = work;
  const target = join(staging, PARTS.rootfs);
  await mkdir(target, { mode: 0o755 });
  const onFiles = (done: number): void => onProgress({ step: 'unpack', done, unit: 'items' });
  const { droppedDevices } = await unpackTar(jails, bytes, target, limits, onFiles, signal);
  const warnings = droppedDevices === 0 ? [] : [`${droppedDevices} device nodes of /dev were left out.`];
  return { ...(await finishRoot(work, undefined)), warnings };
}

async function takeArchive(
  work: ImportWork,
  folder: string,
  kind: 'oci-archive' | 'docker-archive',
  image: string | undefined,
): Promise<Intake> {
  const { jails, limits, signal, onProgress, architecture } = work;
  const out = join(folder, 'out');
  const temporary = join(folder, 'tmp');
  await makeFolders(out, temporary);
  onProgress({ step: 'read the archive' });
  const archive = { kind, folder, name: UPLOAD };
  await archiveToLayout(jails, archive, { image, architecture }, { target: out, temporary }, limits, signal);
  await rm(join(folder, UPLOAD), { force: true });
  return takeLayout(work, out);
}

async function takeLayout(work: ImportWork, out: string): Promise<Intake> {
  const { jails, staging, limits, signal, onProgress } = work;
  const onLayer = (done: number, total: number): void =>
    onProgress({ step: 'check the layers', done, total, unit: 'items' });
  const { digest, config } = await unpackLayout(jails, out, staging, limits, onLayer, signal);
  if (config.architecture !== '' && config.architecture !== work.architecture) {
    throw refused(
      'format',
      `The image is made for ${shown(config.architecture)}, this host is ${work.architecture}.`,
    );
  }
  return { ...(await finishRoot(work, config)), digest };
}

export async function finishRoot(work: ImportWork, config: OciImageConfig | undefined): Promise<Intake> {
  const { jails, staging, signal, onProgress } = work;
  onProgress({ step: 'look at what came of it' });
  const rootfs = join(staging, PARTS.rootfs);
  const facts = await rootFacts(jails, rootfs, signal);
  return {
    ...NOTHING,
    parts: ['rootfs'],
    onDemand: ['disk'],
    minimumDisk: diskSize(await folderSize(rootfs, signal)),
    program: config === undefined ? null : (programOf(config, facts) ?? null),
  };
}

async function takeDisk(work: ImportWork, folder: string, format: DiskFormat, head: Buffer): Promise<Intake> {
  const { jails, limits, staging, signal, onProgress } = work;
  checkDiskHeader(format, head);
  const source = { folder, name: UPLOAD, format };
  const size = await diskSizeOf(jails, source, limits, signal);
  const onPercent = (done: number): void =>
    onProgress({ step: 'convert the disk', done, total: 100, unit: 'percent' });
  const made = join(folder, 'made');
  await makeFolders(made);
  await convertDisk(jails, source, made, { file: 'disk', as: 'raw', limits }, onPercent, signal);
  const bare = isBareFileSystem(await readHead(join(made, 'disk')));
  await rename(join(made, 'disk'), join(staging, bare ? PARTS.disk : PARTS.bootDisk));
  return {
    ...NOTHING,
    parts: [bare ? 'disk' : 'boot-disk'],
    onDemand: bare ? ['rootfs'] : [],
    minimumDisk: size,
  };
}

/** Takes an image from a registry. @throws MullionError `image_refused` */
export async function importFromRegistry(
  work: ImportWork,
  request: PullImageRequest,
  policyFolder: string | undefined,
): Promise<Intake> {
  const { jails, signal, onProgress } = work;
  const folder = join(work.staging, WORK);
  const [access, out, temporary] = ['access', 'out', 'tmp'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await makeFolders(folder, access, out, temporary);
  await prepareAccess(request, access);
  const registry = { jails, folder: access, policyFolder, signal };
  onProgress({ step: 'ask the registry' });
  const remote = await resolveReference(registry, request, work.architecture);
  if (remote.size > work.limits.bytes) throw refused('too_large', `The image has ${remote.size} bytes.`);
  const measure = async (): Promise<void> =>
    onProgress({
      step: 'fetch the layers',
      done: await bytesIn(join(out, 'layout')),
      total: remote.size,
      unit: 'bytes',
    });
  await measure();
  const timer = setInterval(() => void measure().catch(() => undefined), 500);
  try {
    await fetchImage(registry, remote, out, temporary);
  } finally {
    clearInterval(timer);
  }
  await rm(access, { recursive: true, force: true });
  const intake = await takeLayout(work, out);
  await rm(folder, { recursive: true, force: true });
  return { ...intake, digest: remote.digest };
}

/** What comes first, and all of it. */
async function peek(
  bytes: AsyncIterable<Buffer>,
): Promise<{ readonly head: Buffer; readonly all: AsyncIterable<Buffer> }> {
  const source = bytes[Symbol.asyncIterator]();
  const pieces: Buffer[] = [];
  let length = 0;
  while (length < 64 * 1024) {
    const { done, value } = await source.next();
    if (done === true) break;
    pieces.push(value);
    length += value.length;
  }
  async function* all(): AsyncGenerator<Buffer> {
    try {
      yield* pieces;
      for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  }
  return { head: Buffer.concat(pieces), all: all() };
}

/** Takes the kernel of another image along, with its modules where there is a folder for them. */
export async function borrowKernel(
  { jails, staging, signal }: ImportWork,
  intake: Intake,
  from: { readonly vmlinuz: string; readonly initramfs: string; readonly modules: string | undefined },
): Promise<Intake> {
  for (const part of ['vmlinuz', 'initramfs'] as const)
    await copyFile(from[part], join(staging, PARTS[part]));
  if (from.modules !== undefined && intake.parts.includes('rootfs')) {
    const result = await jails.run(
      {
        argv: ['sh', '-ec', COPY_MODULES],
        mounts: [
          { source: join(staging, PARTS.rootfs), target: '/out', access: 'write' },
          { source: from.modules, target: '/in', access: 'read' },
        ],
        capabilities: ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER'],
      },
      signal,
    );
    if (result.code !== 0) throw unpackFailed('cp', result);
  }
  return { ...intake, parts: [...intake.parts, 'kernel'] };
}
const COPY_MODULES =
  'cd /out; if [ -L lib ]; then to=usr/lib/modules; else to=lib/modules; fi; mkdir -p "$to"; cp -a /in/. "$to/"';
