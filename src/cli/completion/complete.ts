import { createClient } from '../../client/client.ts';
import { createNodeTransport } from '../../client/node-transport.ts';
import { findTarget } from '../../client/target.ts';
import type { Terminal } from '../terminal.ts';
import { candidates, type Names } from './candidates.ts';

/** A shell does not wait for a daemon that is slow. */
const PATIENCE_MS = 1_000;

/** Prints what may stand in the place of the last word: a name and what it is, parted by a tab. */
export async function complete(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  terminal: Terminal,
): Promise<number> {
  const client = createClient(createNodeTransport(findTarget(environment)));
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const flag = words.indexOf('--project');
  const project = flag < 0 ? undefined : words[flag + 1];
  const query = project === undefined ? {} : { project };
  const names: Names = {
    vps: async () => (await client.call('vps.list', { query, signal })).map(({ name }) => name),
    snapshot: async ([name]) =>
      name === undefined
        ? []
        : (await client.call('snapshots.list', { params: { name }, query, signal })).map((one) => one.name),
    image: async () => (await client.call('images.list', { query, signal })).map(({ name }) => name),
    network: async () => (await client.call('networks.list', { query, signal })).map(({ name }) => name),
    project: async () => (await client.call('projects.list', { signal })).map(({ name }) => name),
    pool: async () => (await client.call('pools.list', { signal })).map(({ name }) => name),
    backup: async () => (await client.call('backups.list', { query, signal })).map(({ id }) => id),
    repository: async () =>
      (await client.call('backups.repositories', { query, signal })).map(({ name }) => name),
    task: async () => (await client.call('tasks.list', { query, signal })).map(({ id }) => id),
  };
  terminal.printAll(await candidates(words, names));
  return 0;
}
