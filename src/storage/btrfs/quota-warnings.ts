import type { QuotaMode } from '../../host/btrfs.ts';
import type { PoolWarning } from '../volume.ts';

/** What to say of the way in which a file system counts what volumes hold. */
export function quotaWarnings(mode: QuotaMode, root: string, mayEnable: boolean): PoolWarning[] {
  switch (mode) {
    case 'simple':
      return [];
    case 'off':
      if (!mayEnable) {
        return [
          {
            message: `A VPS is not stopped at its disk limit: simple quota is off in the file system of ${root}.`,
            remedy:
              'Set pool.quota to true in the configuration to switch it on; that is for good, and kernels before 6.7 cannot mount it then',
          },
        ];
      }
      return [
        {
          message: 'A VPS is not stopped at its disk limit: this kernel has no simple quota of btrfs.',
          remedy:
            'Boot a kernel of Linux 6.7 or later; the pool uses it from the next start of the daemon on',
        },
      ];
    case 'full':
      return [
        {
          message:
            'A VPS is not stopped at its disk limit: this file system counts by full quota groups, which make deletion slow, and Mullion sets no limits with them.',
          remedy: `Run: btrfs quota disable ${root}; then restart the daemon`,
        },
      ];
  }
}
