import { existsSync, lstatSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import type { ImageProgram } from '../../contract/resources.ts';
import type { ImageFiles } from '../../drivers/driver.ts';
import { layOver, type TreeEntry } from '../../host/guest-tree.ts';
import { run, spawnCommand } from '../../host/run.ts';
import { PARTS } from '../artifact.ts';
import { lastLine, readHead } from '../import/decompress.ts';
import { isBareFileSystem } from '../import/detect.ts';
import { finishRoot, type ImportWork, type Intake } from '../import/importer.ts';
import { makeFolders } from '../import/oci.ts';
import { FILE_OWNER, unpackTar } from '../import/unpack-tar.ts';
import { digestOfFiles } from './digest.ts';
import { CLEAN_ROOT, cleanDiskCommands, IDENTITY } from './identity.ts';

export interface PublishWork {
  /** Nothing writes to it. */
  readonly volume: string;
  readonly base: ImageFiles;
  readonly program: ImageProgram | null;
}

/**
 * Shows both layers as one in a mount namespace of its own, which ends with it, and packs that with no right but to
 * read. Its arguments: the uppermost layer, the lower one, a place.
 */
const PACK_MERGED = `
mount -t overlay overlay -o "ro,userxattr,lowerdir=$1:$2" "$3"
cd "$3"
exec setpriv --inh-caps=-all --bounding-set=-all,+dac_read_search -- \
  tar --create --file=- --numeric-owner --one-file-system --xattrs --xattrs-include='*' --sparse .
`;
const COPY_MS = 1_800_000;

/** Fills the staging folder with what the volume holds. @throws MullionError */
export async function publishVolume(work: ImportWork, source: PublishWork): Promise<Intake> {
  const { volume, base } = source;
  const disk = join(volume, PARTS.disk);
  const intake = existsSync(disk) ? await publishDisk(work, disk) : await publishRoot(work, source);
  const digest = await digestOfFiles(work.staging, work.signal);
  if (base.kernel === undefined || intake.parts.includes('boot-disk')) return { ...intake, digest };
  const files = [base.kernel.vmlinuz, base.kernel.initramfs];
  await run(['cp', '--reflink=auto', '--target-directory', work.staging, '--', ...files], {
    timeoutMs: COPY_MS,
  });
  return { ...intake, digest, parts: [...intake.parts, 'kernel'] };
}

async function publishRoot(work: ImportWork, { volume, base, program }: PublishWork): Promise<Intake> {
  const { jails, staging, limits, signal, onProgress } = work;
  const upper = join(volume, 'upper');
  if (base.rootfs === undefined || !existsSync(upper)) {
    throw new MullionError('not_supported', 'The data of this VPS is neither a disk nor layers.');
  }
  const place = join(staging, '.work');
  const target = join(staging, PARTS.rootfs);
  await makeFolders(place);
  await mkdir(target, { mode: 0o755 });
  const argv = ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', PACK_MERGED, 'pack'];
  const child = spawnCommand([...argv, upper, base.rootfs, place], { stdio: ['ignore', 'pipe', 'pipe'] });
  const devices: TreeEntry[] = [];
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < 65_536) stderr += text;
  });
  const ended = new Promise<number>((resolve) => {
    child.on('close', (code) => resolve(code ?? -1));
    child.on('error', () => resolve(-1));
  });
  const kill = (): boolean => child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  try {
    if (child.stdout === null) throw new TypeError('a child without a pipe');
    const onFiles = (done: number): void => onProgress({ step: 'copy its files', done, unit: 'items' });
    const unpacking = unpackTar(jails, child.stdout, target, limits, onFiles, signal, {
      onDevice: ({ mode, uid, gid, device }, path) =>
        devices.push({ kind: 'device', path, mode, uid, gid, device }),
    });
    await unpacking.catch(async (failure: unknown) => {
      kill();
      // An archive that breaks off has its cause where it was made.
      if ((await ended) > 0)
        throw new MullionError('command_failed', `tar failed: ${lastLine(stderr)}`, { cause: failure });
      throw failure;
    });
  } finally {
    kill();
    signal.removeEventListener('abort', kill);
  }
  const code = await ended;
  if (code !== 0) throw new MullionError('command_failed', `tar failed: ${lastLine(stderr)}`);
  layOver(target, target, devices);
  onProgress({ step: 'clean its identity' });
  const cleaned = await jails.run(
    {
      argv: ['sh', '-c', CLEAN_ROOT, 'clean', ...IDENTITY],
      mounts: [{ source: target, target: '/out', access: 'write' }],
      capabilities: FILE_OWNER,
    },
    signal,
  );
  if (cleaned.code !== 0)
    throw new MullionError('command_failed', `Cleaning failed: ${lastLine(cleaned.stderr)}`);
  await rm(place, { recursive: true, force: true });
  const intake = await finishRoot(work, undefined);
  return { ...intake, program };
}

async function publishDisk(work: ImportWork, disk: string): Promise<Intake> {
  const { jails, staging, signal, onProgress } = work;
  // A link would have cp(1) read a file of the host.
  if (!lstatSync(disk).isFile()) throw new MullionError('host_unfit', `${disk} is not a plain file.`);
  onProgress({ step: 'copy its disk' });
  const bare = isBareFileSystem(await readHead(disk));
  const name = bare ? PARTS.disk : PARTS.bootDisk;
  await run(['cp', '--reflink=auto', '--sparse=always', '--', disk, join(staging, name)], {
    timeoutMs: COPY_MS,
    signal,
  });
  const { stdout } = await run(['stat', '--format=%s', '--', disk]);
  const intake: Intake = {
    digest: '',
    parts: [bare ? 'disk' : 'boot-disk'],
    onDemand: bare ? ['rootfs'] : [],
    minimumDisk: Number(stdout),
    program: null,
    warnings: bare ? [] : ['The disk has partitions of its own: its keys and machine id are still in it.'],
  };
  if (!bare) return intake;
  onProgress({ step: 'clean its identity' });
  const place = join(staging, '.work');
  await makeFolders(place);
  await writeFile(join(place, 'commands'), cleanDiskCommands('/in/empty'), { mode: 0o600 });
  await writeFile(join(place, 'empty'), '', { mode: 0o600 });
  const mounts = [
    { source: place, target: '/in', access: 'read' as const },
    { source: staging, target: '/out', access: 'write' as const },
  ];
  // What a running guest had not written yet is in its journal.
  const checked = await jails.run({ argv: ['e2fsck', '-f', '-y', `/out/${name}`], mounts }, signal);
  if (checked.code > 1) {
    throw new MullionError(
      'command_failed',
      `The disk's file system is damaged: ${lastLine(checked.stdout)}`,
    );
  }
  const cleaned = await jails.run(
    { argv: ['debugfs', '-w', '-f', '/in/commands', `/out/${name}`], mounts },
    signal,
  );
  if (cleaned.code !== 0)
    throw new MullionError('command_failed', `Cleaning failed: ${lastLine(cleaned.stderr)}`);
  await rm(place, { recursive: true, force: true });
  return intake;
}
