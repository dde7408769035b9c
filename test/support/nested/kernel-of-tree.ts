import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { writeInitramfs } from '../../../src/images/initramfs.ts';
import { loadOrder, parseModulesDep } from '../../../src/images/kernel-modules.ts';

/** ext4 asks for crc32c by a name that no dependency tells (modules.softdep), and Debian's usual kernel has it apart. */
export const MODULES = ['crc32c_generic', 'virtio_pci', 'virtio_blk', 'ext4', 'virtio_net', 'virtio_console'];

/** Files that QEMU loads itself. */
export interface KernelFiles {
  readonly vmlinuz: string;
  readonly initramfs: string;
  readonly hypervisor?: string | undefined;
}

/** The kernel that is installed in a tree, an initial file system that leads to its disk, and Xen. */
export async function takeKernel(
  tree: string,
  busybox: string,
  files: KernelFiles,
  initial: string,
  signal: AbortSignal,
): Promise<void> {
  const boot = join(tree, 'boot');
  const names = await readdir(boot);
  const find = (start: string, end = ''): string => {
    const name = names.find((each) => each.startsWith(start) && each.endsWith(end));
    if (name === undefined) throw new Error(`${boot} holds no ${start}*${end}`);
    return join(boot, name);
  };
  const vmlinuz = find('vmlinuz-');
  const release = vmlinuz.slice(vmlinuz.indexOf('vmlinuz-') + 'vmlinuz-'.length);
  const modules = join(tree, 'usr/lib/modules', release);
  const [dependencies = '', builtin = ''] = await Promise.all(
    ['modules.dep', 'modules.builtin'].map((name) => readFile(join(modules, name), 'utf8')),
  );
  const order = loadOrder(MODULES, parseModulesDep(dependencies), builtin);
  await writeInitramfs(
    { busybox, modules: order.paths.map((path) => join(modules, path)) },
    initial,
    files.initramfs,
    signal,
  );
  await writeFile(files.vmlinuz, await readFile(vmlinuz));
  if (files.hypervisor !== undefined) {
    await writeFile(files.hypervisor, gunzipSync(await readFile(find('xen-', '.gz'))));
  }
  for (const name of names.filter((each) => each.startsWith('initrd.img'))) await rm(join(boot, name));
}
