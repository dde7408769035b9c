import { join } from 'node:path';
import { type Patience, ResticBackend } from '../../src/backup/restic/restic-backend.ts';
import { Cgroups } from '../../src/host/cgroups.ts';

/** A backend with its secrets and its cache below a folder. */
export const resticIn = (folder: string, patience: Patience = {}): ResticBackend =>
  new ResticBackend({
    secretsDirectory: join(folder, 'secrets'),
    cacheDirectory: join(folder, 'cache'),
    patience,
    keyGroup: { cgroups: new Cgroups(), path: `mullion-test-key-${process.pid}` },
  });
