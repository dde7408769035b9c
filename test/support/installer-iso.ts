import { copyFileSync, existsSync, globSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { bootableIso, missingForIso } from './bootable-iso.ts';

const IMAGES = '/usr/lib/debian-installer/images';
/** Of the newest release that is installed. */
const INSTALLER =
  globSync(`${IMAGES}/*/amd64/text/debian-installer/amd64`).sort().at(-1) ?? join(IMAGES, 'none');

/** What an ISO of Debian's installer is made of, and is not on this machine. */
export const missingForInstaller = (): string[] =>
  [join(INSTALLER, 'linux'), ...missingForIso()].filter((path) => !existsSync(path));

/** An ISO that boots Debian's own installer by BIOS and lets it talk on the serial line. */
export async function installerIso(folder: string): Promise<string> {
  const tree = join(folder, 'installer');
  mkdirSync(tree, { recursive: true });
  for (const name of ['linux', 'initrd.gz']) copyFileSync(join(INSTALLER, name), join(tree, name));
  return bootableIso(
    tree,
    'linux initrd=initrd.gz console=tty0 console=ttyS0 ---',
    join(folder, 'installer.iso'),
  );
}
