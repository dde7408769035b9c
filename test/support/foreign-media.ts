import { existsSync } from 'node:fs';
import { missingForInstaller } from './installer-iso.ts';

/** Guests that nobody prepared, as Debian's packages bring them. */
export const MEMTEST = '/usr/lib/memtest86+/memtest86+x64.iso';
export const IPXE = '/usr/lib/ipxe/ipxe.iso';
const OVMF = '/usr/share/OVMF/OVMF_CODE_4M.fd';

/** Why they cannot be tried here; false when they can. */
export function withoutForeignMedia(): string | false {
  const missing = [MEMTEST, IPXE, OVMF].filter((path) => !existsSync(path)).concat(missingForInstaller());
  return missing.length === 0 ? false : `these files are not here: ${missing.join(', ')}`;
}
