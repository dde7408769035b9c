import { createHash } from 'node:crypto';
import { existsSync, readlinkSync } from 'node:fs';
import { copyFile, link, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bundledFiles } from '../../../scripts/bundle/content.ts';
import { makeBundle } from '../../../scripts/bundle/make-bundle.ts';
import { run } from '../../../src/host/run.ts';
import { waitForLock } from '../../../src/images/waiting-lock.ts';
import { runCommand } from '../command.ts';
import { CACHE, PRIMED, PRIMED_QUICK, PRIMED_TOOLS } from '../test-image.ts';
import { forgetOld, NESTED_CACHE, use } from './cache-folder.ts';

const ROOT = join(import.meta.dirname, '../../..');
const CACHE_DISK_SIZE = '4G';
const BUILD_MS = 600_000;

/** A file that a nested host gets, with the digest of all that it is made of. */
export interface Supply {
  readonly key: string;
  readonly path: string;
}

/** The bundle of this checkout, built where that is needed. */
export async function bundleSupply(): Promise<Supply> {
  const built = await runCommand([join(ROOT, 'scripts/bootstrap.sh')], { timeoutMs: BUILD_MS });
  if (built.code !== 0) throw new Error(built.stderr);
  const hash = createHash('sha256');
  for (const path of bundledFiles(ROOT, process.arch)) {
    hash.update(`${path}\0`);
    hash.update(await readFile(join(ROOT, path)));
  }
  const key = hash.digest('hex').slice(0, 16);
  return supply('bundle', key, async (target) => {
    const folder = `${target}.folder`;
    await rename((await makeBundle(ROOT, folder)).path, target);
    await rm(folder, { recursive: true });
  });
}

/** Mullion's cache with the images debian/12, quick and that of compare, and apt's lists, as a disk; undefined when they were not built yet. */
export async function cacheSupply(): Promise<Supply | undefined> {
  const primed = [PRIMED, PRIMED_QUICK, PRIMED_TOOLS];
  if (!primed.every((path) => existsSync(path))) return undefined;
  const images = primed.map((path) => basename(readlinkSync(path)));
  return supply('cache', images.map((image) => image.slice(0, 8)).join(''), async (target) => {
    const staging = `${target}.folder`;
    await rm(staging, { recursive: true, force: true });
    await mkdir(join(staging, 'images'), { recursive: true });
    await run(['cp', '-al', join(CACHE, 'apt'), staging]);
    for (const image of images)
      await run(['cp', '-al', join(CACHE, 'images', image), join(staging, 'images')]);
    await run(
      [
        ...['mke2fs', '-q', '-F', '-t', 'ext4', '-L', 'mullion-cache', '-m', '0'],
        ...['-d', staging, target, CACHE_DISK_SIZE],
      ],
      { timeoutMs: BUILD_MS },
    );
    await rm(staging, { recursive: true });
  });
}

/** Made once for each key, under a lock; what nobody asked for during half a day is removed. */
async function supply(name: string, key: string, make: (target: string) => Promise<void>): Promise<Supply> {
  const path = join(NESTED_CACHE, `${name}-${key}`);
  using _lock = await waitForLock(join(NESTED_CACHE, `${name}.lock`), new AbortController().signal);
  if (!existsSync(path)) {
    await forgetOld(`${name}-`);
    await make(`${path}.new`);
    await rename(`${path}.new`, path);
  }
  await use(path);
  return { key, path };
}

/** A second name for a supply, which stays when the first is removed; a copy on another file system. */
export async function keep(path: string, target: string): Promise<void> {
  await link(path, target).catch(() => copyFile(path, target));
}
