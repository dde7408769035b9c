import { MullionError } from '../contract/errors.ts';
import { DEFAULT_NETWORK, DEFAULT_PROJECT } from '../contract/names.ts';
import type { Project } from '../contract/resources.ts';
import { type Context, now } from './context.ts';
import type { ProjectVerbs } from './contract.ts';
import { NETWORKS_QUEUE, networkFor, removeNetwork } from './networks.ts';
import type { ProjectRecord } from './records.ts';

export function projectVerbs(context: Context): ProjectVerbs {
  const { state, queue, events } = context;
  return {
    async list() {
      return [...state.projects.values()]
        .map((record) => viewProject(context, record))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    async info(name) {
      return viewProject(context, state.requireProject(name));
    },
    create: ({ name, description }) =>
      queue.run(NETWORKS_QUEUE, async () => {
        const record = { name, description, createdAt: now(context) };
        if (state.projects.get(name) !== undefined) throw exists(name);
        await state.commit([state.projects.put(record)]);
        events.emit('project.added', name, name, {});
        return viewProject(context, record);
      }),
    delete: (name) =>
      queue.run(NETWORKS_QUEUE, async () => {
        const record = state.requireProject(name);
        requireEmpty(context, name);
        const own = state.networks.get(`${name}/${DEFAULT_NETWORK}`);
        if (own !== undefined) await removeNetwork(context, own);
        await state.commit([state.projects.drop(record)]);
        events.emit('project.removed', name, name, {});
        await context.collectTemplates();
      }),
  };
}

/** The project and network that there always are. */
export async function ensureDefaults(context: Context): Promise<void> {
  const { state } = context;
  if (state.projects.get(DEFAULT_PROJECT) === undefined) {
    const description = 'There is always this project';
    await state.commit([state.projects.put({ name: DEFAULT_PROJECT, description, createdAt: now(context) })]);
  }
  await networkFor(context, DEFAULT_PROJECT, DEFAULT_NETWORK);
}

function requireEmpty(context: Context, name: string): void {
  if (name === DEFAULT_PROJECT) {
    throw new MullionError('in_use', `The project ${DEFAULT_PROJECT} is always there.`, {
      remedy: 'Delete its VPSs, networks and images instead',
    });
  }
  const { state, deps } = context;
  const vps = state.vpsOfProject(name).map((record) => `the VPS ${record.name}`);
  const networks = [...state.networks.values()]
    .filter((network) => network.project === name && network.name !== DEFAULT_NETWORK)
    .map((network) => `the network ${network.name}`);
  const images = deps.images
    .list()
    .filter((image) => image.project === name)
    .map((image) => `the image ${image.name}`);
  const groups = [...state.firewallGroups.values()]
    .filter((group) => group.project === name)
    .map((group) => `the firewall group ${group.name}`);
  const repositories = [...state.repositories.values()]
    .filter(({ project }) => project === name)
    .map((repository) => `the backup repository ${repository.name}`);
  const tasks = [...state.tasks.values()]
    .filter(({ project, state: now }) => project === name && now === 'running')
    .map(({ kind, target }) => `the task ${kind} of ${target}`);
  const contents = [...vps, ...networks, ...images, ...groups, ...repositories, ...tasks];
  if (contents.length === 0) return;
  const shown = contents.length > 5 ? [...contents.slice(0, 5), `${contents.length - 5} more`] : contents;
  throw new MullionError('in_use', `The project ${name} still has ${shown.join(', ')}.`, {
    remedy: 'Delete them first; tasks can be waited for, or cancelled: mullion task list',
    details: { project: name, count: contents.length },
  });
}

const viewProject = ({ state }: Context, record: ProjectRecord): Project => ({
  ...record,
  vps: state.vpsOfProject(record.name).length,
  networks: [...state.networks.values()].filter(({ project }) => project === record.name).length,
});

const exists = (name: string): MullionError =>
  new MullionError('already_exists', `There is a project ${name} already.`, { details: { project: name } });
