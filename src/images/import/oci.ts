import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Jails } from '../../host/jail/jails.ts';
import { decompressed, layerHead, plainBytes } from './decompress.ts';
import { Layout, type OciImageConfig } from './layout.ts';
import type { ImportLimits } from './limits.ts';
import { type ImageArchive, pickArchived, type Wanted } from './pick-archived.ts';
import { filterTar } from './tar-filter.ts';
import { TarPolicy } from './tar-policy.ts';
import { FILE_OWNER, unpackFailed } from './unpack-tar.ts';

/** Turns one image of an archive into a layout, in jails without a network. @throws MullionError `image_refused` */
export async function archiveToLayout(
  jails: Jails,
  archive: ImageArchive,
  wanted: Wanted,
  { target, temporary }: { readonly target: string; readonly temporary: string },
  limits: ImportLimits,
  signal: AbortSignal,
): Promise<void> {
  const { kind, folder, name } = archive;
  const picked = await pickArchived(jails, archive, wanted, signal);
  const argv = [
    ...[
      'skopeo',
      '--insecure-policy',
      '--tmpdir',
      '/tmp',
      'copy',
      '--quiet',
      '--dest-compress-format',
      'gzip',
      '--dest-compress-level',
      '1',
    ],
    ...[`${kind}:/in/${name}${picked}`, 'oci:/out/layout:image'],
  ];
  const result = await jails.run(
    {
      argv,
      mounts: [
        { source: folder, target: '/in', access: 'read' },
        { source: target, target: '/out', access: 'write' },
        { source: temporary, target: '/tmp', access: 'write' },
      ],
      fileSize: limits.bytes,
      timeoutMs: limits.timeoutMs,
    },
    signal,
  );
  if (result.code !== 0) {
    throw unpackFailed('skopeo', { ...result, stderr: result.stderr.replace(/^.*msg=/s, '') });
  }
}

export interface OciRoot {
  readonly digest: string;
  readonly config: OciImageConfig;
  readonly files: number;
}

/**
 * Unpacks the image of the layout in `work` into `target`/rootfs: every layer is judged first, then umoci applies them
 * in a jail. @throws MullionError `image_refused`
 */
export async function unpackLayout(
  jails: Jails,
  work: string,
  target: string,
  limits: ImportLimits,
  onLayer: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<OciRoot> {
  const layout = new Layout(join(work, 'layout'));
  const { manifest, digest } = await layout.manifest();
  const config = await layout.config(manifest);
  const counts = { bytes: 0, files: 0 };
  for (const [index, descriptor] of manifest.layers.entries()) {
    onLayer(index, manifest.layers.length);
    const { path, size } = await layout.layer(descriptor);
    const policy = new TarPolicy(limits, { layered: true, counts });
    const kind = await layerHead(path);
    const bytes =
      kind === 'tar'
        ? plainBytes(path)
        : decompressed(jails, path, kind, { limits, sizeIn: size, ratio: true }, signal);
    for await (const _ of filterTar(bytes, policy.judge, { mayBeEmpty: true }));
  }
  onLayer(manifest.layers.length, manifest.layers.length);
  const argv = ['umoci', 'raw', 'unpack', '--image', '/in/layout:image', '/out/rootfs'];
  const result = await jails.run(
    {
      argv,
      mounts: [
        { source: work, target: '/in', access: 'read' },
        { source: target, target: '/out', access: 'write' },
      ],
      capabilities: FILE_OWNER,
      fileSize: limits.bytes,
      timeoutMs: limits.timeoutMs,
    },
    signal,
  );
  if (result.code !== 0) {
    throw unpackFailed('umoci', { ...result, stderr: result.stderr.replace(/^.*⨯\s*/s, '') });
  }
  return { digest, config, files: counts.files };
}

/** Bytes of all blobs that are there by now, also of one under way. */
export async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  const walk = async (path: string): Promise<void> => {
    for (const name of await readdir(path).catch(() => [])) {
      const stat = await lstat(join(path, name)).catch(() => undefined);
      if (stat?.isDirectory() === true) await walk(join(path, name));
      else sum += stat?.size ?? 0;
    }
  };
  await walk(folder);
  return sum;
}

export const makeFolders = async (...folders: readonly string[]): Promise<void> => {
  for (const folder of folders) await mkdir(folder, { recursive: true, mode: 0o700 });
};
