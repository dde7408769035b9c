import type { RepositoryPlace } from '../backup.ts';
import { readSnapshotTree, readTree, type TreeNode } from './documents.ts';

/** Trees that are not asked for again: each question costs the time of deriving the key. */
const REMEMBERED = 64;

/** Asks a repository; its standard output. */
type Ask = (place: RepositoryPlace, args: readonly string[], signal: AbortSignal) => Promise<string>;

/** Reads the trees of snapshots, which are named by what they hold and so never change. */
export class TreeReader {
  readonly #ask: Ask;
  readonly #trees = new Map<string, readonly TreeNode[]>();
  readonly #roots = new Map<string, string>();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** The node at a path, one tree after another; links are not followed. */
  async walk(
    place: RepositoryPlace,
    id: string,
    path: string,
    signal: AbortSignal,
  ): Promise<TreeNode | undefined> {
    let node: TreeNode = { name: '', type: 'dir', subtree: await this.#rootOf(place, id, signal) };
    for (const part of path.split('/').filter((name) => name !== '')) {
      if (typeof node.subtree !== 'string') return undefined;
      const next = (await this.#nodes(place, node.subtree, signal)).find(({ name }) => name === part);
      if (next === undefined) return undefined;
      node = next;
    }
    return node;
  }

  /** What lies in a folder; none when there is no such folder. */
  async entries(
    place: RepositoryPlace,
    id: string,
    path: string,
    signal: AbortSignal,
  ): Promise<readonly TreeNode[]> {
    const { subtree } = (await this.walk(place, id, path, signal)) ?? {};
    return typeof subtree === 'string' ? this.#nodes(place, subtree, signal) : [];
  }

  async #rootOf(place: RepositoryPlace, id: string, signal: AbortSignal): Promise<string> {
    const key = `${place.id}/${id}`;
    const known = this.#roots.get(key);
    if (known !== undefined) return known;
    const tree = readSnapshotTree(await this.#ask(place, ['cat', 'snapshot', id], signal));
    remember(this.#roots, key, tree);
    return tree;
  }

  async #nodes(place: RepositoryPlace, tree: string, signal: AbortSignal): Promise<readonly TreeNode[]> {
    const key = `${place.id}/${tree}`;
    const known = this.#trees.get(key);
    if (known !== undefined) return known;
    const nodes = readTree(await this.#ask(place, ['cat', 'blob', tree], signal));
    remember(this.#trees, key, nodes);
    return nodes;
  }
}

/** Keeps the newest few. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED && oldest !== undefined) map.delete(oldest);
}
