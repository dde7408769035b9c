import type { Context } from '../context.ts';
import type { BackupVerbs } from '../contract.ts';
import type { Techniques } from '../techniques.ts';
import { startBackup } from './create.ts';
import { readBackupFile } from './file.ts';
import { startDelete } from './forget.ts';
import { listBackups, requireBackup, viewBackup } from './found.ts';
import { repositoryVerbs, requireRepository } from './repositories.ts';
import { startRestore } from './restore.ts';
import { scheduleVerbs } from './schedules.ts';
import { startVerify } from './verify.ts';

export function backupVerbs(context: Context, techniques: Techniques): BackupVerbs {
  const find = (project: string, id: string) => requireBackup(context, project, id);
  return {
    ...repositoryVerbs(context),
    ...scheduleVerbs(context),
    async list(project, { vps, repository }) {
      const all = (await listBackups(context, project, repository)).map(viewBackup);
      return vps === undefined ? all : all.filter((backup) => backup.vps === vps);
    },
    async create(project, { vps, repository }) {
      const record = context.state.requireVps(project, vps);
      return startBackup(context, requireRepository(context, project, repository), record, false);
    },
    delete: async (project, id) => startDelete(context, project, await find(project, id)),
    verify: async (project, id) => startVerify(context, techniques, project, await find(project, id)),
    restore: async (project, id, request) =>
      startRestore(context, techniques, project, await find(project, id), request),
    file: async (project, id, path, signal) => readBackupFile(context, await find(project, id), path, signal),
  };
}
