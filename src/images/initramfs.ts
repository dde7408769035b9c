import { chmod, copyFile, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run } from '../host/run.ts';
import { INIT_SCRIPT } from './init-script.ts';

const FOLDERS = ['bin', 'dev', 'proc', 'sys', 'root', 'modules'];
const APPLETS = [
  'cat chmod chroot cp findfs insmod mount poweroff rm sh sleep switch_root tar umount usleep'.split(' '),
].flat();

/**
 * Writes the initial file system: busybox, the modules that lead to the root disk, and /init. Neither it nor the modules
 * are compressed: an emulated processor unpacks slower than it copies. Other archives may be appended to it.
 */
export async function writeInitramfs(
  parts: { readonly busybox: string; readonly modules: readonly string[] },
  staging: string,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  for (const folder of FOLDERS) await mkdir(join(staging, folder), { recursive: true });
  await copyFile(parts.busybox, join(staging, 'bin/busybox'));
  await chmod(join(staging, 'bin/busybox'), 0o755);
  for (const applet of APPLETS) await symlink('busybox', join(staging, 'bin', applet));
  const order: string[] = [];
  for (const path of parts.modules) {
    const copy = join(staging, 'modules', basename(path));
    await copyFile(path, copy);
    if (copy.endsWith('.xz')) await run(['xz', '--decompress', copy], { signal });
    if (copy.endsWith('.zst')) await run(['zstd', '--decompress', '--rm', '--quiet', copy], { signal });
    order.push(basename(path).replace(/\.(xz|zst)$/, ''));
  }
  await writeFile(join(staging, 'modules/order'), `${order.join('\n')}\n`);
  await writeFile(join(staging, 'init'), INIT_SCRIPT);
  await chmod(join(staging, 'init'), 0o755);
  const names = await readdir(staging, { recursive: true });
  await run(
    ['cpio', '--create', '--format=newc', '--owner=+0:+0', '--reproducible', '--quiet', `--file=${target}`],
    { cwd: staging, stdin: `${names.sort().join('\n')}\n`, signal },
  );
}

/** busybox of its Debian package, unpacked below `unpacked`. */
export async function unpackBusybox(deb: string, unpacked: string, signal: AbortSignal): Promise<string> {
  await mkdir(unpacked, { recursive: true });
  await run(['dpkg-deb', '--extract', deb, unpacked], { signal });
  for (const folder of ['usr/bin', 'bin']) {
    const names = await readdir(join(unpacked, folder)).catch((): string[] => []);
    if (names.includes('busybox')) return join(unpacked, folder, 'busybox');
  }
  throw new Error(`${basename(deb)} holds no busybox`);
}
