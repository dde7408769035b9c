import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { packagesOf, parsePackageList } from '../../../src/cli/quickstart/package-list.ts';
import { run } from '../../../src/host/run.ts';
import { renderSources } from '../../../src/images/apt-sources.ts';
import { contained } from '../../../src/images/bootstrap.ts';
import { readHostArchive } from '../../../src/images/host-sources.ts';
import { digestOf } from '../../../src/images/recipe.ts';
import { waitForLock } from '../../../src/images/waiting-lock.ts';
import { baseFiles, ENABLED, MASKED } from './base-files.ts';
import { forgetOld, NESTED_CACHE, use } from './cache-folder.ts';
import { MODULES, takeKernel } from './kernel-of-tree.ts';
import type { NestedKind } from './kinds.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** Raised when the same packages and files are put together otherwise. */
const VERSION = 1;
const SUITE = 'bookworm';
/** Room for a pool and its VPSs; the file holds only what is written. */
const DISK_SIZE = '24G';
const BUILD_MS = 1_200_000;

/** What every nested host has besides the packages of debian-packages.txt. */
const PACKAGES = [
  'linux-image-amd64',
  'systemd-sysv',
  'udev',
  'dbus',
  'qemu-guest-agent',
  'busybox-static',
  'procps',
];
const UNREAD = ['/usr/share/man/*', '/usr/share/doc/*', '/usr/share/locale/*', '/usr/share/info/*'];

/** A nested host as it is before its first boot. */
export interface BaseImage {
  readonly key: string;
  /** Raw ext4 without partitions. */
  readonly disk: string;
  readonly vmlinuz: string;
  readonly initramfs: string;
  /** Xen, unpacked, where the host boots it. */
  readonly hypervisor: string | undefined;
}

interface Recipe {
  readonly key: string;
  readonly packages: readonly string[];
  readonly sources: string;
}

async function recipeOf(kind: NestedKind): Promise<Recipe> {
  const list = parsePackageList(readFileSync(join(ROOT, 'debian-packages.txt'), 'utf8'));
  const packages = [...PACKAGES, ...packagesOf(list, ['runtime'], process.arch), ...kind.packages].sort();
  const sources = renderSources(await readHostArchive(), SUITE);
  const files = baseFiles(kind.name, sources);
  const key = digestOf({ VERSION, packages, files, ENABLED, MASKED, UNREAD, DISK_SIZE, MODULES });
  return { key: key.slice(0, 16), packages, sources };
}

const partsOf = (kind: NestedKind, folder: string, key: string): BaseImage => ({
  key,
  disk: join(folder, 'disk.raw'),
  vmlinuz: join(folder, 'vmlinuz'),
  initramfs: join(folder, 'initramfs'),
  hypervisor: kind.hypervisor === undefined ? undefined : join(folder, 'xen'),
});

/** The image in the cache; undefined when none was built of these packages and files. */
export async function cachedBase(kind: NestedKind): Promise<BaseImage | undefined> {
  const { key } = await recipeOf(kind);
  const folder = join(NESTED_CACHE, `base-${kind.name}-${key}`);
  return existsSync(folder) ? partsOf(kind, folder, key) : undefined;
}

/** The image from the cache, or built with the machine's own Debian mirror: one and a half minutes. */
export async function ensureBase(kind: NestedKind): Promise<BaseImage> {
  const { key, packages, sources } = await recipeOf(kind);
  const folder = join(NESTED_CACHE, `base-${kind.name}-${key}`);
  const { signal } = new AbortController();
  using _lock = await waitForLock(join(NESTED_CACHE, `base-${kind.name}.lock`), signal);
  if (!existsSync(folder)) {
    await forgetOld(`base-${kind.name}-`);
    const staging = `${folder}.new`;
    await run(['rm', '-rf', '--one-file-system', staging], { timeoutMs: BUILD_MS });
    await mkdir(staging, { recursive: true, mode: 0o700 });
    await build(kind, packages, sources, staging, signal);
    await rename(staging, folder);
  }
  await use(folder);
  return partsOf(kind, folder, key);
}

async function build(
  kind: NestedKind,
  packages: readonly string[],
  sources: string,
  staging: string,
  signal: AbortSignal,
): Promise<void> {
  const tree = join(staging, 'tree');
  const list = join(staging, 'debian.sources');
  await writeFile(list, sources);
  const argv = [
    'mmdebstrap',
    ...['--mode=root', '--format=directory', '--variant=apt', `--include=${packages.join(',')}`],
    ...['--dpkgopt=force-unsafe-io', ...UNREAD.map((path) => `--dpkgopt=path-exclude=${path}`)],
    ...[SUITE, tree, list],
  ];
  // The initial file system is made below: Debian's own would take most of the time (kernel-img.conf(5), INITRD).
  const env = { DEBIAN_FRONTEND: 'noninteractive', INITRD: 'No' };
  await run(contained(argv), { env, timeoutMs: BUILD_MS, signal });
  for (const { path, content } of baseFiles(kind.name, sources)) {
    await mkdir(join(tree, dirname(path)), { recursive: true });
    await rm(join(tree, path), { force: true });
    await writeFile(join(tree, path), content);
  }
  await mkdir(join(tree, 'var/cache/mullion'), { recursive: true });
  await run(['systemctl', `--root=${tree}`, '--quiet', 'enable', ...ENABLED]);
  for (const unit of MASKED) {
    await rm(join(tree, 'etc/systemd/system', unit), { force: true });
    await symlink('/dev/null', join(tree, 'etc/systemd/system', unit));
  }
  const parts = partsOf(kind, staging, '');
  await takeKernel(tree, join(tree, 'bin/busybox'), parts, join(staging, 'initial'), signal);
  await run(
    [
      ...['mke2fs', '-q', '-F', '-t', 'ext4', '-L', 'nested-root', '-i', '65536', '-m', '0'],
      ...['-d', tree, parts.disk, DISK_SIZE],
    ],
    { timeoutMs: BUILD_MS, signal },
  );
  for (const path of [tree, list, join(staging, 'initial')]) await rm(path, { recursive: true, force: true });
}
