import { copyFileSync, cpSync, existsSync, globSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ImageFiles } from '../../src/drivers/driver.ts';
import { run } from '../../src/host/run.ts';
import { bootableIso, missingForIso } from './bootable-iso.ts';

const BUSYBOX = '/bin/busybox';
/** With these the kernel tells of the power button by an input device. */
const MODULES = ['button', 'evdev'] as const;

/** What its console shows once it heeds the power button. */
export const FOREIGN_UP = /waits for its power button/;

/** A press that comes before the button's device is open is lost. */
const INIT = `#!/bin/sh
mount -t devtmpfs devtmpfs /dev
mount -t sysfs sysfs /sys
for module in ${MODULES.join(' ')}; do insmod /$module.ko; done
for input in /sys/class/input/event*; do
  read -r name <$input/device/name
  [ "$name" = 'Power Button' ] && exec 3</dev/input/\${input##*/}
done
echo 'this guest waits for its power button'
head -c 24 <&3 >/dev/null
poweroff -f
`;

/** An ISO that boots by its own loader a guest without an agent, which only the power button can switch off. */
export async function foreignGuest(full: ImageFiles, folder: string): Promise<ImageFiles> {
  const [root, tree] = [join(folder, 'foreign-root'), join(folder, 'foreign-tree')];
  for (const path of [join(root, 'bin'), join(root, 'dev'), join(root, 'sys'), tree])
    mkdirSync(path, { recursive: true });
  cpSync(BUSYBOX, join(root, 'bin/busybox'));
  for (const applet of ['sh', 'mount', 'insmod', 'head', 'poweroff', 'echo']) {
    symlinkSync('busybox', join(root, 'bin', applet));
  }
  for (const module of MODULES) {
    const [found] = globSync(`lib/modules/*/kernel/**/${module}.ko`, { cwd: full.rootfs });
    if (found === undefined) throw new Error(`the test image's kernel has no module ${module}`);
    copyFileSync(join(full.rootfs ?? '', found), join(root, basename(found)));
  }
  writeFileSync(join(root, 'init'), INIT, { mode: 0o755 });
  const pack = 'find . | cpio --create --format=newc --quiet | gzip -1 >"$1"';
  await run(['sh', '-c', pack, 'sh', join(tree, 'initrd')], { cwd: root });
  copyFileSync(full.kernel?.vmlinuz ?? '', join(tree, 'vmlinuz'));
  const kernel = 'vmlinuz initrd=initrd quiet console=tty0 console=ttyS0';
  return { id: 'foreign', iso: await bootableIso(tree, kernel, join(folder, 'foreign.iso')) };
}

/** What it is made of, and is not on this machine. */
export const missingForForeign = (): string[] => missingForIso().concat(existsSync(BUSYBOX) ? [] : [BUSYBOX]);
