import { link, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Jails } from '../host/jail/jails.ts';
import { run } from '../host/run.ts';
import { type Artifact, BUILT_PARTS, PARTS } from './artifact.ts';
import { bootstrap } from './bootstrap.ts';
import { buildFailure } from './build-failure.ts';
import { makeDisk } from './disk-image.ts';
import { folderSize } from './folder-size.ts';
import type { GuestFile } from './guest-files.ts';
import type { ImageProgress } from './image-store.ts';
import { unpackBusybox, writeInitramfs } from './initramfs.ts';
import { installKernel } from './kernel.ts';
import { bootFiles, type PackageArchive } from './package-archive.ts';
import type { Resolution } from './package-list.ts';
import type { Recipe } from './recipe.ts';
import { customize } from './rootfs.ts';
import { applySetup } from './setup.ts';

export interface BuildPlan {
  readonly key: string;
  readonly recipeDigest: string;
  readonly recipe: Recipe;
  readonly sources: string;
  readonly files: readonly GuestFile[];
  readonly resolution: Resolution;
}

/** Links what a build reads into its own folder, where a later download cannot replace it. */
export async function takePackages(archive: PackageArchive, plan: BuildPlan, staging: string): Promise<void> {
  const { archives, lists } = archive.folders;
  await linkFiles(
    archives,
    plan.resolution.rootfs.map(({ file }) => file),
    join(staging, 'debs'),
  );
  const { kernel, busybox } = bootFiles(plan.resolution);
  await linkFiles(archives, [kernel, busybox], join(staging, 'boot-debs'));
  const names = await readdir(lists, { withFileTypes: true });
  await linkFiles(
    lists,
    names.filter((entry) => entry.isFile() && entry.name !== 'lock').map(({ name }) => name),
    join(staging, 'lists'),
  );
}

/** Makes all parts in `staging`, from files that `takePackages` put there. Without network. */
export async function buildArtifact(
  plan: BuildPlan,
  staging: string,
  jails: Jails,
  onProgress: (progress: ImageProgress) => void,
  signal: AbortSignal,
): Promise<Artifact> {
  const part = (name: keyof typeof PARTS): string => join(staging, PARTS[name]);
  const root = part('rootfs');
  await bootstrap(
    plan.recipe,
    plan.resolution.rootfs.length,
    {
      target: root,
      debs: join(staging, 'debs'),
      lists: join(staging, 'lists'),
      sources: join(staging, 'debian.sources'),
    },
    plan.sources,
    (done, total) => onProgress({ step: 'install packages', done, total, unit: 'items' }),
    signal,
  );
  try {
    onProgress({ step: 'kernel and initial file system' });
    await customize(root, plan.files, signal);
    const { setup } = plan.recipe;
    if (setup !== undefined) await applySetup(jails, root, join(staging, 'setup'), setup, onProgress, signal);
    const debs = join(staging, 'boot-debs');
    const { kernel: kernelDeb, busybox: busyboxDeb } = bootFiles(plan.resolution);
    const kernel = await installKernel(
      join(debs, kernelDeb),
      join(staging, 'kernel'),
      root,
      part('vmlinuz'),
      signal,
    );
    const busybox = await unpackBusybox(join(debs, busyboxDeb), join(staging, 'busybox'), signal);
    await writeInitramfs(
      { busybox, modules: kernel.bootModules },
      join(staging, 'initial'),
      part('initramfs'),
      signal,
    );
    onProgress({ step: 'disk' });
    const rootSize = await folderSize(root, signal);
    const minimumDisk = await makeDisk(root, part('disk'), rootSize, signal);
    await clean(staging);
    return {
      key: plan.key,
      recipe: plan.recipeDigest,
      size: await folderSize(staging, signal),
      minimumDisk,
      kernel: kernel.release,
      packages: plan.resolution.rootfs.map(({ file }) => file.replace(/\.deb$/, '')),
      createdAt: new Date().toISOString(),
    };
  } catch (failure) {
    throw buildFailure(failure, 'making its parts');
  }
}

/** Leaves the parts alone. */
async function clean(staging: string): Promise<void> {
  const parts: readonly string[] = BUILT_PARTS;
  for (const name of await readdir(staging)) {
    if (!parts.includes(name)) await rm(join(staging, name), { recursive: true, force: true });
  }
  await run([
    'chmod',
    '0600',
    '--',
    ...[PARTS.disk, PARTS.vmlinuz, PARTS.initramfs].map((name) => join(staging, name)),
  ]);
}

async function linkFiles(from: string, names: readonly string[], to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of names) await link(join(from, name), join(to, name));
}
