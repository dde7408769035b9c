import { asMullionError, type MullionError } from '../../contract/errors.ts';
import type { Check } from '../../contract/resources.ts';
import type { Context } from '../context.ts';
import { backupCondition } from './condition.ts';
import { lookAt } from './look.ts';

interface BrokenRepository {
  readonly repository: string;
  readonly failure: MullionError;
}

/** Repositories that do not answer, or have lost something. */
async function brokenRepositories(context: Context): Promise<BrokenRepository[]> {
  const looks = [...context.state.repositories.values()].map(async (record): Promise<BrokenRepository[]> => {
    try {
      await lookAt(context, record, context.closing);
      return [];
    } catch (thrown) {
      return [{ repository: `${record.project}/${record.name}`, failure: asMullionError(thrown) }];
    }
  });
  return (await Promise.all(looks)).flat();
}

/** Whether backups can be made, and whether those that should be were. */
export async function checkBackups(context: Context): Promise<Check> {
  const { state, deps } = context;
  const { available, reason, remedy } = await deps.backups.probe();
  const late = [...state.schedules.values()].flatMap((record) => {
    const vps = state.vps.get(record.id);
    const condition = backupCondition(context, record.id);
    if (vps === undefined || (condition !== 'failed' && condition !== 'overdue')) return [];
    const why = condition === 'failed' ? record.lastFailure?.message : record.lastSuccessAt;
    return [`${vps.project}/${vps.name}: ${condition}: ${why ?? 'there is none yet'}`];
  });
  const used = state.repositories.size > 0;
  const check = (
    grade: Check['state'],
    message: string,
    evidence: readonly string[],
    what: string,
  ): Check => ({ name: 'backups', state: grade, message, evidence: [...evidence], remedy: what });
  if (!available) {
    return check(used ? 'failed' : 'warning', `Backups cannot be made: ${reason}.`, [], remedy);
  }
  if (late.length > 0) {
    return check(
      'warning',
      `${late.length} VPSs have no good backup of late.`,
      late,
      'Correct the cause; make one now with: mullion backup create NAME',
    );
  }
  const broken = await brokenRepositories(context);
  if (broken.length > 0) {
    const certain = broken.some(({ failure }) => failure.code !== 'in_use');
    const fault = certain ? 'cannot be used as they are' : 'could not be looked at for certain';
    return check(
      certain ? 'failed' : 'warning',
      `${broken.length} of ${state.repositories.size} repositories ${fault}.`,
      broken.map(({ repository, failure }) => `${repository}: ${failure.message}`),
      [...new Set(broken.map(({ failure }) => failure.remedy))].join('; '),
    );
  }
  const message = used
    ? `${state.repositories.size} repositories, ${state.schedules.size} schedules.`
    : 'No repository is set up yet.';
  return check('ok', message, [reason], '');
}
