import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageFiles } from '../../src/drivers/driver.ts';
import { run } from '../../src/host/run.ts';
import type { DriverFixture } from '../conformance/drivers.ts';
import { openQemuFixture } from './qemu-fixture.ts';
import { CACHE, TEST_IMAGE } from './test-image.ts';

/** Parts of an image with a kernel, from which the small guest is made. */
const IMAGE = TEST_IMAGE;

export const fullImage = (): ImageFiles | undefined => {
  const part = (name: string): string => join(IMAGE, name);
  if (!['rootfs', 'disk.raw', 'vmlinuz', 'initramfs'].every((name) => existsSync(part(name))))
    return undefined;
  return {
    id: 'debian12',
    rootfs: part('rootfs'),
    disk: part('disk.raw'),
    kernel: { vmlinuz: part('vmlinuz'), initramfs: part('initramfs') },
  };
};

export const NO_IMAGE = `no image with a kernel in ${IMAGE}: run npm test, which builds it, or set MULLION_TEST_IMAGE`;

const part = (name: string): string => readFileSync(join(import.meta.dirname, 'quick-guest', name), 'utf8');
/** The first process: no systemd, only the guest's agent, so that it answers a few seconds after its start. */
const INIT = part('small-init');
/** What the agent runs to switch the guest off. */
const SHUTDOWN = part('shutdown');

/** An image with the programs of a full one, whose guest boots in seconds. Made once, kept in the cache. */
export async function smallGuest(): Promise<ImageFiles | undefined> {
  const full = fullImage();
  if (full?.rootfs === undefined) return undefined;
  const disk = join(CACHE, `small-guest-${createHash('sha256').update(INIT).digest('hex').slice(0, 8)}.raw`);
  if (!existsSync(disk)) await build(full.rootfs, disk);
  return { ...full, id: 'small-guest', disk };
}

/** A QEMU driver with the small guest, or why there is none. */
export async function openSmallQemu(): Promise<DriverFixture | string> {
  const image = await smallGuest();
  return image === undefined ? NO_IMAGE : openQemuFixture(image);
}

async function build(rootfs: string, disk: string): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const tree = join(CACHE, `small-guest-${process.pid}`);
  try {
    await run(['cp', '-a', '--reflink=auto', rootfs, tree], { timeoutMs: 300_000 });
    for (const name of ['init', 'shutdown']) {
      const path = join(tree, 'usr/sbin', name);
      rmSync(path, { force: true });
      writeFileSync(path, name === 'init' ? INIT : SHUTDOWN, { mode: 0o755 });
    }
    writeFileSync(`${disk}.new`, '');
    await run(['truncate', '-s', '700M', `${disk}.new`]);
    await run(['mkfs.ext4', '-q', '-d', tree, `${disk}.new`], { timeoutMs: 300_000 });
    renameSync(`${disk}.new`, disk);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
