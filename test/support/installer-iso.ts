import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/host/run.ts';

const INSTALLER = '/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64';
const ISOLINUX = '/usr/lib/ISOLINUX/isolinux.bin';

/** What an ISO of Debian's installer is made of, and is not on this machine. */
export const missingForInstaller = (): string[] =>
  [join(INSTALLER, 'linux'), ISOLINUX, '/usr/bin/xorriso'].filter((path) => !existsSync(path));

/** An ISO that boots Debian's own installer by BIOS and lets it talk on the serial line. */
export async function installerIso(folder: string): Promise<string> {
  const tree = join(folder, 'installer');
  mkdirSync(tree, { recursive: true });
  for (const name of ['linux', 'initrd.gz', 'boot-screens/ldlinux.c32']) {
    copyFileSync(join(INSTALLER, name), join(tree, name.replace('boot-screens/', '')));
  }
  copyFileSync(ISOLINUX, join(tree, 'isolinux.bin'));
  writeFileSync(
    join(tree, 'isolinux.cfg'),
    'default di\nlabel di\n kernel linux\n append initrd=initrd.gz console=tty0 console=ttyS0 ---\n',
  );
  const iso = join(folder, 'installer.iso');
  const boot = ['-b', 'isolinux.bin', '-c', 'boot.cat', '-no-emul-boot', '-boot-load-size', '4'];
  await run(['xorriso', '-as', 'mkisofs', '-quiet', '-o', iso, ...boot, '-boot-info-table', tree], {
    timeoutMs: 60_000,
  });
  return iso;
}
