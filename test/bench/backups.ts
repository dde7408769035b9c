import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { TestDaemon } from '../support/daemon.ts';
import { measure, type Subject, timed } from './measure.ts';
import type { Comparison, Section } from './report.ts';

const VPS = 'backed-up';
const FIRST_BACKUP = 'first backup of a VPS, 64 MiB of its own, image included';
const SECOND_BACKUP = 'second backup, nothing changed';

export const BACKUP_AIMS: readonly Comparison[] = [
  {
    what: 'second backup of an unchanged VPS, against the first',
    of: SECOND_BACKUP,
    against: FIRST_BACKUP,
    atMost: 0.5,
  },
];

export async function backupSection(rounds: number): Promise<Section> {
  await using daemon = await TestDaemon.start('bench-backup');
  await daemon.ensureImage();
  const subjects = await backupSubjects(daemon);
  return {
    title: 'Backups into a folder',
    notes: [
      'By the command. A backup calls restic five times, and twice more when it saves its image; each call derives its key anew, for 0.15 s of processor time.',
    ],
    measurements: await measure(subjects, Math.min(rounds, 3)),
  };
}

/** Each round the first backup goes into a new repository, and the second follows it. */
async function backupSubjects(daemon: TestDaemon): Promise<Subject[]> {
  await daemon.ok(['launch', 'debian/12', VPS, '--technique', 'os', '--disk', '1G']);
  await daemon.inside(VPS, 'head -c 64M /dev/urandom > /root/data; sync');
  await daemon.ok(['stop', VPS]);
  const create = (): Promise<number> => timed(async () => void (await daemon.ok(['backup', 'create', VPS])));
  const repository = join(daemon.folder, 'repository');
  let made = false;
  return [
    {
      name: FIRST_BACKUP,
      run: async () => {
        if (made) await daemon.ok(['backup', 'repo', 'remove', 'bench']);
        rmSync(repository, { recursive: true, force: true });
        await daemon.ok(['backup', 'repo', 'add', 'bench', repository]);
        made = true;
        return create();
      },
    },
    { name: SECOND_BACKUP, run: create },
  ];
}
