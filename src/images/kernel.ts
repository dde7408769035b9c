import { copyFile, cp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MullionError } from '../contract/errors.ts';
import { run } from '../host/run.ts';
import { BOOT_MODULES, loadOrder, NEEDLESS_MODULES, parseModulesDep } from './kernel-modules.ts';

export interface Kernel {
  readonly release: string;
  /** Absolute paths of the modules to load at boot, in order. */
  readonly bootModules: readonly string[];
}

/**
 * Takes a Debian kernel package apart: its modules go into the root file system, without those for hardware that no VPS
 * has; `vmlinuz` gets the kernel. The guest's package system does not know of it: kernels come with images.
 */
export async function installKernel(
  deb: string,
  unpacked: string,
  root: string,
  vmlinuz: string,
  signal: AbortSignal,
): Promise<Kernel> {
  await mkdir(unpacked, { recursive: true });
  await run(['dpkg-deb', '--extract', deb, unpacked], { signal, timeoutMs: 600_000 });
  const image = (await readdir(join(unpacked, 'boot'))).find((name) => name.startsWith('vmlinuz-'));
  const modules = await modulesFolder(unpacked);
  if (image === undefined || modules === undefined) {
    throw new MullionError('build_failed', `The package ${basename(deb)} holds no kernel with modules.`);
  }
  const release = basename(modules);
  await copyFile(join(unpacked, 'boot', image), vmlinuz);
  for (const folder of NEEDLESS_MODULES) {
    await rm(join(modules, 'kernel', folder), { recursive: true, force: true });
  }
  const target = join(root, 'usr/lib/modules', release);
  await cp(modules, target, {
    recursive: true,
    filter: (path) => !['build', 'source'].includes(basename(path)),
  });
  await run(['depmod', '--basedir', root, release], { signal });
  const [dependencies, builtin] = await Promise.all(
    ['modules.dep', 'modules.builtin'].map((name) => readFile(join(target, name), 'utf8')),
  );
  const { paths, missing } = loadOrder(BOOT_MODULES, parseModulesDep(dependencies ?? ''), builtin ?? '');
  if (missing.length > 0) {
    throw new MullionError('build_failed', `The kernel ${release} lacks the modules ${missing.join(', ')}.`);
  }
  return { release, bootModules: paths.map((path) => join(target, path)) };
}

/** Of a package built before or after /lib became a link to /usr/lib. */
async function modulesFolder(unpacked: string): Promise<string | undefined> {
  for (const parent of ['usr/lib/modules', 'lib/modules']) {
    const [release] = await readdir(join(unpacked, parent)).catch((): string[] => []);
    if (release !== undefined) return join(unpacked, parent, release);
  }
  return undefined;
}
