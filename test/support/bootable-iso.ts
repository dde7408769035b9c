import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from '../../src/host/run.ts';

const LOADER = ['/usr/lib/ISOLINUX/isolinux.bin', '/usr/lib/syslinux/modules/bios/ldlinux.c32'] as const;

/** What makes an ISO that boots, and is not on this machine. */
export const missingForIso = (): string[] =>
  [...LOADER, '/usr/bin/xorriso'].filter((path) => !existsSync(path));

/** Makes an ISO of this folder that boots by BIOS: `kernel` is the name of a kernel in it, with its parameters. */
export async function bootableIso(tree: string, kernel: string, iso: string): Promise<string> {
  for (const path of LOADER) copyFileSync(path, join(tree, basename(path)));
  const [file, ...parameters] = kernel.split(' ');
  writeFileSync(
    join(tree, 'isolinux.cfg'),
    `default it\nlabel it\n kernel ${file}\n append ${parameters.join(' ')}\n`,
  );
  const boot = ['-b', 'isolinux.bin', '-c', 'boot.cat', '-no-emul-boot', '-boot-load-size', '4'];
  await run(['xorriso', '-as', 'mkisofs', '-quiet', '-o', iso, ...boot, '-boot-info-table', tree], {
    timeoutMs: 60_000,
  });
  return iso;
}
