import type { SavedFolder } from '../../backup/backup.ts';
import type { Backup } from '../../contract/backups.ts';
import { asMullionError, MullionError } from '../../contract/errors.ts';
import type { Context } from '../context.ts';
import type { RepositoryRecord } from '../records.ts';
import { DEFINITION_FILE, type Definition, parseDefinition } from './definition.ts';
import { repositoriesOf, requireRepository } from './repositories.ts';

/** Characters of an id that people are shown. */
const SHOWN = 12;

/** What the labels of saved folders mean. */
export const KIND = { vps: 'vps', image: 'image' } as const;

/** A backup of a VPS, with where it is. */
export interface FoundBackup {
  readonly repository: RepositoryRecord;
  readonly saved: SavedFolder;
}

export const isBackup = ({ labels }: SavedFolder): boolean => labels.kind === KIND.vps;

export const viewBackup = ({ repository, saved }: FoundBackup): Backup => ({
  id: saved.id.slice(0, SHOWN),
  repository: repository.name,
  vps: saved.labels.name ?? '',
  technique: saved.labels.technique ?? '',
  image: saved.labels.image ?? '',
  node: saved.labels.node ?? '',
  createdAt: saved.createdAt,
  consistency: saved.labels.consistency ?? 'crash',
  schedule: saved.labels.schedule === 'yes',
});

/**
 * Backups of a project's repositories, oldest first. @throws what the first repository that failed says, with how to
 * list those of the others
 */
export async function listBackups(
  context: Context,
  project: string,
  repository: string | undefined,
): Promise<FoundBackup[]> {
  context.state.requireProject(project);
  const records =
    repository === undefined
      ? repositoriesOf(context, project)
      : [requireRepository(context, project, repository)];
  const outcomes = await Promise.allSettled(records.map((record) => listRepository(context, record)));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) {
    const others = records.filter((_record, index) => outcomes[index]?.status === 'fulfilled');
    throw withOthers(asMullionError(failed.reason), others);
  }
  const lists = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
  return lists.flat().sort((a, b) => (a.saved.createdAt < b.saved.createdAt ? -1 : 1));
}

function withOthers(failure: MullionError, others: readonly RepositoryRecord[]): MullionError {
  const [other] = others;
  if (other === undefined) return failure;
  return new MullionError(failure.code, failure.message, {
    remedy: `${failure.remedy}. The backups in the others: mullion backup list --repo ${other.name}`,
    details: failure.details,
    cause: failure,
  });
}

async function listRepository(context: Context, repository: RepositoryRecord): Promise<FoundBackup[]> {
  const all = await context.deps.backups.list(repository, context.closing);
  return all.filter(isBackup).map((saved) => ({ repository, saved }));
}

/** The backup whose id begins so. A repository that fails matters only when no other has it. */
export async function requireBackup(context: Context, project: string, id: string): Promise<FoundBackup> {
  context.state.requireProject(project);
  const records = repositoriesOf(context, project);
  const outcomes = await Promise.allSettled(records.map((record) => listRepository(context, record)));
  const found = outcomes
    .flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []))
    .filter(({ saved }) => saved.id.startsWith(id));
  const [backup] = found;
  if (backup !== undefined && found.length === 1) return backup;
  if (backup !== undefined) {
    throw new MullionError(
      'invalid_request',
      `There are ${found.length} backups whose id begins with ${id}.`,
      {
        remedy: 'Give more of its digits: mullion backup list',
      },
    );
  }
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  throw new MullionError('not_found', `There is no backup ${id} in the project ${project}.`, {
    remedy: 'See what there is with: mullion backup list',
    details: { backup: id, project },
  });
}

export async function readDefinition(
  context: Context,
  { repository, saved }: FoundBackup,
): Promise<Definition> {
  const { backups } = context.deps;
  return parseDefinition(await backups.read(repository, saved.id, DEFINITION_FILE, context.closing));
}
