import { randomBytes } from 'node:crypto';
import type { AddRepositoryRequest, Repository, RepositoryKey } from '../../contract/backups.ts';
import { MullionError } from '../../contract/errors.ts';
import { parseRepositoryUrl } from '../../core/repository-url.ts';
import { type Context, now } from '../context.ts';
import type { BackupVerbs } from '../contract.ts';
import type { RepositoryRecord } from '../records.ts';

type RepositoryVerbs = Pick<
  BackupVerbs,
  'repositories' | 'addRepository' | 'removeRepository' | 'repositoryKey'
>;

const QUEUE = 'backup-repositories';

/** Work that writes to one repository runs one after another. */
export const repositoryQueue = ({ id }: RepositoryRecord): string => `repository/${id}`;

export function repositoryVerbs(context: Context): RepositoryVerbs {
  const { state, deps, queue, events } = context;
  return {
    async repositories(project) {
      state.requireProject(project);
      return repositoriesOf(context, project).map(view);
    },
    addRepository: (project, request) =>
      queue.run(QUEUE, async () => {
        state.requireProject(project);
        const record = recordOf(context, project, request);
        const { key, credentials, knownHosts } = request;
        await deps.backups.add(record, { key, credentials, knownHosts }, context.closing);
        try {
          await state.commit([state.repositories.put(record)]);
        } catch (failure) {
          state.repositories.drop(record);
          await deps.backups.remove(record);
          throw failure;
        }
        events.emit('backup.repository.added', project, record.name, { url: record.url });
        return view(record);
      }),
    removeRepository: (project, name) =>
      queue.run(QUEUE, async () => {
        const record = requireRepository(context, project, name);
        requireUnused(context, record);
        await queue.run(repositoryQueue(record), async () => {
          requireUnused(context, record);
          await state.commit([state.repositories.drop(record)]);
          await deps.backups.remove(record);
        });
        events.emit('backup.repository.removed', project, name, { url: record.url });
      }),
    async repositoryKey(project, name): Promise<RepositoryKey> {
      const record = requireRepository(context, project, name);
      return { name, url: record.url, key: await deps.backups.key(record) };
    },
  };
}

export const repositoriesOf = (context: Context, project: string): RepositoryRecord[] =>
  [...context.state.repositories.values()]
    .filter((record) => record.project === project)
    .sort((a, b) => (a.name < b.name ? -1 : 1));

/** The named repository, or the only one. @throws not_found, invalid_request */
export function requireRepository(
  context: Context,
  project: string,
  name: string | undefined,
): RepositoryRecord {
  context.state.requireProject(project);
  const all = repositoriesOf(context, project);
  const named = name === undefined ? all : all.filter((record) => record.name === name);
  const [record] = named;
  if (record !== undefined && named.length === 1) return record;
  if (record !== undefined) {
    throw new MullionError('invalid_request', 'There is more than one repository: one must be named.', {
      remedy: `Name one of them with --repo: ${named.map((one) => one.name).join(', ')}`,
    });
  }
  throw new MullionError(
    'not_found',
    name === undefined
      ? `There is no backup repository in the project ${project}.`
      : `There is no backup repository ${name} in the project ${project}.`,
    {
      remedy:
        'Add one with: mullion backup repo add NAME URL; see what there is with: mullion backup repo list',
      details: { project, ...(name === undefined ? {} : { name }) },
    },
  );
}

function recordOf(context: Context, project: string, { name, url }: AddRepositoryRequest): RepositoryRecord {
  const all = [...context.state.repositories.values()];
  if (all.some((other) => other.project === project && other.name === name)) {
    throw new MullionError('already_exists', `There is a backup repository ${name} already.`, {
      remedy: 'Choose another name, or remove that one first: mullion backup repo remove NAME',
      details: { project, name },
    });
  }
  const known = all.find((other) => other.project === project && withoutEnd(other.url) === withoutEnd(url));
  if (known !== undefined) {
    throw new MullionError('already_exists', `The repository ${known.name} is at ${url} already.`, {
      remedy: `Use that one: --repo ${known.name}`,
      details: { project, name: known.name },
    });
  }
  const address = parseRepositoryUrl(url);
  const { stateDirectory, runDirectory } = context.deps.naming;
  const isInside = (folder: string): boolean =>
    address.kind === 'folder' && (address.path === folder || address.path.startsWith(`${folder}/`));
  if ([stateDirectory, runDirectory].some(isInside)) {
    throw new MullionError('invalid_request', `The folder ${url} lies in the state of this installation.`, {
      remedy: 'A backup that is lost with what it backs up is none: choose another disk or another host',
    });
  }
  return { id: randomBytes(6).toString('hex'), name, project, url, createdAt: now(context) };
}

const withoutEnd = (url: string): string => url.replace(/\/+$/, '');

function requireUnused(context: Context, record: RepositoryRecord): void {
  if (context.repositoriesHeld.has(record.id)) {
    throw new MullionError('in_use', `A task reads the repository ${record.name}.`, {
      remedy: 'Wait until that is done: mullion task list',
    });
  }
  const users = [...context.state.schedules.values()]
    .filter(({ repository }) => repository === record.id)
    .map(({ id }) => context.state.vps.get(id)?.name ?? id);
  if (users.length === 0) return;
  throw new MullionError('in_use', `The repository ${record.name} has schedules: ${users.join(', ')}.`, {
    remedy: 'Remove them first: mullion backup schedule remove VPS',
  });
}

const view = ({ name, project, url, createdAt }: RepositoryRecord): Repository => ({
  name,
  project,
  url,
  createdAt,
});
