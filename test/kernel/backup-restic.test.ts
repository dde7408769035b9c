import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BlockBackups } from '../../src/backup/disks/block-backups.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { type BackupFixture, backupConformance } from '../conformance/backups.ts';
import { resticIn } from '../support/restic.ts';
import { scratchDirectory } from '../support/scratch.ts';

async function fixture(): Promise<BackupFixture> {
  const scratch = scratchDirectory('backup');
  const restic = resticIn(scratch.path);
  const backend = new BlockBackups(restic);
  const folder = join(scratch.path, 'folder');
  mkdirSync(folder);
  let places = 0;
  return {
    backend,
    folder,
    place: () => {
      places += 1;
      return { id: places.toString(16).padStart(12, '0'), url: join(scratch.path, `repository-${places}`) };
    },
    [Symbol.asyncDispose]: async () => scratch[Symbol.dispose](),
  };
}

if (hasProgram('restic')) backupConformance('restic', fixture);
else test('backups: restic', (t) => t.skip('the program restic is not installed'));
