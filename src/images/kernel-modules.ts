/** modules.dep(5): each module's path with those it needs, the deepest last. */
export function parseModulesDep(text: string): Map<string, readonly string[]> {
  const modules = new Map<string, readonly string[]>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    modules.set(
      line.slice(0, colon),
      line
        .slice(colon + 1)
        .split(' ')
        .filter((path) => path !== ''),
    );
  }
  return modules;
}

/** Its name as the kernel has it: without folders and endings, with underscores. */
export const moduleName = (path: string): string =>
  (path.split('/').at(-1) ?? path).replace(/\.ko(\.(xz|zst|gz))?$/, '').replaceAll('-', '_');

/**
 * Paths of the wanted modules and all they need, in an order in which they load. A wanted one that has no file is part
 * of the kernel itself, which `builtin` (modules.builtin) tells; the rest is `missing`.
 */
export function loadOrder(
  wanted: readonly string[],
  dependencies: ReadonlyMap<string, readonly string[]>,
  builtin: string,
): { readonly paths: readonly string[]; readonly missing: readonly string[] } {
  const pathOf = new Map([...dependencies.keys()].map((path) => [moduleName(path), path]));
  const inKernel = new Set(builtin.split('\n').map(moduleName));
  const paths = new Set<string>();
  const add = (path: string): void => {
    if (paths.has(path)) return;
    for (const needed of [...(dependencies.get(path) ?? [])].reverse()) add(needed);
    paths.add(path);
  };
  const missing: string[] = [];
  for (const name of wanted) {
    const path = pathOf.get(name);
    if (path !== undefined) add(path);
    else if (!inKernel.has(name)) missing.push(name);
  }
  return { paths: [...paths], missing };
}

/**
 * What the initial file system needs: the root disk on each bus, and the devices that a VPS has from its start. Those of
 * Xen load on Xen alone.
 */
export const BOOT_MODULES = [
  'virtio_pci',
  'virtio_mmio',
  'virtio_blk',
  'xen_blkfront',
  'ext4',
  'virtio_net',
  'virtio_console',
  'xen_netfront',
];

/** Folders of modules for hardware that no VPS has, below the release's `kernel/`. */
export const NEEDLESS_MODULES = [
  'drivers/ata',
  'drivers/comedi',
  'drivers/gpu',
  'drivers/hid',
  'drivers/hv',
  'drivers/infiniband',
  'drivers/media',
  'drivers/net/ethernet',
  'drivers/net/wireless',
  'drivers/nvme',
  'drivers/platform',
  'drivers/thermal',
  'drivers/usb',
  'drivers/vfio',
  'sound',
];
