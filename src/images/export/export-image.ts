import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import type { ExportFormat } from '../../contract/image-requests.ts';
import type { ImagePart } from '../../contract/resources.ts';
import type { ImageFiles } from '../../drivers/driver.ts';
import type { Jails } from '../../host/jail/jails.ts';
import { folderSize } from '../folder-size.ts';
import type { ImageProgress, ImageRecord } from '../image-store.ts';
import { lastLine } from '../import/decompress.ts';
import { convertDisk } from '../import/disk.ts';
import { IMPORT_LIMITS } from '../import/limits.ts';
import { makeFolders } from '../import/oci.ts';
import { FILE_OWNER } from '../import/unpack-tar.ts';
import { renderOciConfig } from './oci-config.ts';

/** A file on its way out. */
export interface ExportedFile {
  /** Bytes, when that is known before. */
  readonly size: number | undefined;
  readonly content: Readable;
  /** Settles when all was given; rejects when what makes the file failed. */
  readonly ended: Promise<void>;
}

export interface ExportWork {
  readonly jails: Jails;
  /** A folder of its own for what must be made first. */
  readonly folder: string;
  readonly onProgress: (progress: ImageProgress) => void;
  readonly signal: AbortSignal;
}

/** Bytes that must be made before the first can be given; 0: it is given as it lies there. */
export async function roomToExport(
  files: ImageFiles,
  format: ExportFormat,
  signal: AbortSignal,
): Promise<number> {
  switch (format) {
    case 'tar':
    case 'raw':
    case 'iso':
      return 0;
    case 'oci':
      // The layer, and what is made of it, which is mostly smaller.
      return 2 * (await folderSize(rootOf(files), signal));
    case 'qcow2':
    case 'vmdk':
    case 'vdi':
      return (await stat(files.disk ?? files.bootDisk ?? '')).blocks * 512;
  }
}

const DISK_FORMATS = ['raw', 'qcow2', 'vmdk', 'vdi'] as const;

/** The format that shows most of an image. @throws MullionError `image_unfit` when its parts do not allow the one asked for */
export function exportFormat(image: ImageRecord, asked: ExportFormat | undefined): ExportFormat {
  const formats = (parts: readonly ImagePart[]): ExportFormat[] => [
    ...(parts.includes('rootfs') ? (['tar', 'oci'] as const) : []),
    ...(parts.includes('disk') || parts.includes('boot-disk') ? DISK_FORMATS : []),
    ...(parts.includes('iso') ? (['iso'] as const) : []),
  ];
  // What is there comes before what would have to be made.
  const possible = [...new Set([...formats(image.parts), ...formats(image.onDemand)])];
  const first = possible[0];
  if (asked === undefined && first !== undefined) return first;
  if (asked !== undefined && possible.includes(asked)) return asked;
  throw new MullionError(
    'image_unfit',
    `The image ${image.name} has ${image.parts.join(' and ')}, of which no file of format ${asked ?? 'any'} can be made.`,
    {
      remedy: `Choose another: --format ${possible.join(' or ')}`,
      details: { possible, parts: image.parts },
    },
  );
}

/** Begins to give the image in that format. @throws MullionError */
export async function exportImage(
  work: ExportWork,
  image: ImageRecord,
  files: ImageFiles,
  format: ExportFormat,
): Promise<ExportedFile> {
  switch (format) {
    case 'tar':
      return packRoot(work, rootOf(files));
    case 'oci':
      return exportOci(work, image, rootOf(files));
    case 'iso':
      return plainFile(work, files.iso ?? '');
    case 'raw':
      return plainFile(work, files.disk ?? files.bootDisk ?? '');
    case 'qcow2':
    case 'vmdk':
    case 'vdi': {
      const disk = files.disk ?? files.bootDisk ?? '';
      const source = { folder: dirname(disk), name: basename(disk), format: 'raw' as const };
      const onPercent = (done: number): void =>
        work.onProgress({ step: 'convert the disk', done, total: 100, unit: 'percent' });
      const target = { file: 'disk', as: format, limits: IMPORT_LIMITS };
      await convertDisk(work.jails, source, work.folder, target, onPercent, work.signal);
      return plainFile(work, join(work.folder, 'disk'));
    }
  }
}

function rootOf({ rootfs }: ImageFiles): string {
  if (rootfs !== undefined) return rootfs;
  throw new MullionError('image_unfit', 'The image has no root file system.');
}

async function plainFile({ signal }: ExportWork, path: string): Promise<ExportedFile> {
  const content = createReadStream(path, { signal, highWaterMark: 256 * 1024 });
  return { size: (await stat(path)).size, content, ended: Promise.resolve() };
}

const PACK = [
  'tar',
  '--create',
  '--directory=/in',
  '--numeric-owner',
  '--xattrs',
  '--xattrs-include=*',
  '--sparse',
];

/** A root file system as an archive, read in a jail as its own root would. */
async function packRoot({ jails, signal }: ExportWork, rootfs: string): Promise<ExportedFile> {
  const jail = await jails.start(
    {
      argv: [...PACK, '--file=-', '.'],
      mounts: [{ source: rootfs, target: '/in', access: 'read' }],
      capabilities: FILE_OWNER,
    },
    signal,
  );
  jail.stdin.end();
  const ended = jail.ended.then(({ code, stderr }) => {
    if (code !== 0) throw new MullionError('command_failed', `tar failed: ${lastLine(stderr)}`);
  });
  ended.catch(() => undefined);
  return { size: undefined, content: jail.stdout, ended };
}

/** An OCI archive of one layer, made by umoci (OCI image specification 1.0). */
async function exportOci(work: ExportWork, image: ImageRecord, rootfs: string): Promise<ExportedFile> {
  const { jails, folder, onProgress, signal } = work;
  const temporary = join(folder, 'tmp');
  await makeFolders(temporary);
  const mounts = [
    { source: folder, target: '/out', access: 'write' as const },
    { source: temporary, target: '/tmp', access: 'write' as const },
  ];
  const step = async (
    what: string,
    argv: readonly string[],
    root: readonly (typeof mounts)[number][] = [],
  ) => {
    onProgress({ step: what });
    const spec = { argv, mounts: [...mounts, ...root], capabilities: FILE_OWNER };
    const { code, stderr } = await jails.run(spec, signal);
    if (code !== 0) throw new MullionError('command_failed', `${argv[0]} failed: ${lastLine(stderr)}`);
  };
  await step(
    'pack the root file system',
    [...PACK, '--file=/out/layer.tar', '.'],
    [{ source: rootfs, target: '/in', access: 'write' }],
  );
  await step('make the layout', ['umoci', 'init', '--layout', '/out/layout']);
  await step('make the layout', ['umoci', 'new', '--image', '/out/layout:latest']);
  await step('compress the layer', [
    'umoci',
    'raw',
    'add-layer',
    '--image',
    '/out/layout:latest',
    '/out/layer.tar',
  ]);
  await rm(join(folder, 'layer.tar'), { force: true });
  await step('describe it', ['umoci', 'config', '--image', '/out/layout:latest', ...renderOciConfig(image)]);
  await step('describe it', ['umoci', 'gc', '--layout', '/out/layout']);
  await step('pack the archive', [
    ...['tar', '--create', '--file=/out/image.tar', '--directory=/out/layout', '--numeric-owner'],
    ...['oci-layout', 'index.json', 'blobs'],
  ]);
  return plainFile(work, join(folder, 'image.tar'));
}
