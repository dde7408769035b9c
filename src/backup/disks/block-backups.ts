import type { Readable } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import type {
  BackupBackend,
  BackupProbe,
  Choice,
  RepositoryPlace,
  RepositorySecrets,
  RestoreRequest,
  SavedFolder,
  SavedNode,
  SaveRequest,
  SaveResult,
} from '../backup.ts';
import { type DiskLayout, diskOf, folderOf, readLayout } from './block-layout.ts';
import { putTogether } from './put-together.ts';
import { takeApart } from './take-apart.ts';

/** Saves disks by their allocated blocks on another backend, which only sees files. */
export class BlockBackups implements BackupBackend {
  readonly name: string;
  readonly #inner: BackupBackend;

  constructor(inner: BackupBackend) {
    this.name = inner.name;
    this.#inner = inner;
  }

  probe(): Promise<BackupProbe> {
    return this.#inner.probe();
  }
  add(place: RepositoryPlace, secrets: RepositorySecrets, signal: AbortSignal): Promise<void> {
    return this.#inner.add(place, secrets, signal);
  }
  remove(place: RepositoryPlace): Promise<void> {
    return this.#inner.remove(place);
  }
  key(place: RepositoryPlace): Promise<string> {
    return this.#inner.key(place);
  }
  list(place: RepositoryPlace, signal: AbortSignal): Promise<SavedFolder[]> {
    return this.#inner.list(place, signal);
  }
  check(place: RepositoryPlace, signal: AbortSignal, alone?: boolean): Promise<void> {
    return this.#inner.check(place, signal, alone);
  }
  read(place: RepositoryPlace, id: string, path: string, signal: AbortSignal): Promise<Readable> {
    return this.#inner.read(place, id, path, signal);
  }
  forget(place: RepositoryPlace, which: readonly string[] | Choice, signal: AbortSignal): Promise<void> {
    return this.#inner.forget(place, which, signal);
  }
  places(): Promise<string[]> {
    return this.#inner.places();
  }

  async save(place: RepositoryPlace, request: SaveRequest): Promise<SaveResult> {
    const { disks, folder, signal } = request;
    const trustTimes = disks !== undefined && (await takeApart(folder, disks, signal));
    return this.#inner.save(place, { ...request, disks: undefined, trustTimes });
  }

  /** All that is said of disks is judged before anything is written. */
  async restore(place: RepositoryPlace, id: string, request: RestoreRequest): Promise<void> {
    const { except = [], target, signal } = request;
    const top = await this.#inner.entries(place, id, '', signal);
    const layouts: DiskLayout[] = [];
    const left = new Set(except);
    for (const node of top) {
      const disk = diskOf(node);
      if (disk === undefined) continue;
      if (left.has(disk)) left.add(node.name);
      else if (!left.has(node.name)) layouts.push(await this.#layout(place, id, disk, top, signal));
    }
    await this.#inner.restore(place, id, { ...request, except: [...left] });
    await putTogether(target, layouts, signal);
  }

  /** A disk at the top is shown as the file that it was. */
  async look(
    place: RepositoryPlace,
    id: string,
    path: string,
    signal: AbortSignal,
  ): Promise<SavedNode | undefined> {
    const node = await this.#inner.look(place, id, path, signal);
    if (node !== undefined || path.includes('/')) return node;
    return (await this.entries(place, id, '', signal)).find(({ name }) => name === path);
  }

  async entries(place: RepositoryPlace, id: string, path: string, signal: AbortSignal): Promise<SavedNode[]> {
    const nodes = await this.#inner.entries(place, id, path, signal);
    if (path !== '') return nodes;
    const shown: SavedNode[] = [];
    for (const node of nodes) {
      const disk = diskOf(node);
      if (disk === undefined) shown.push(node);
      else shown.push(asFile(await this.#layout(place, id, disk, nodes, signal)));
    }
    return shown;
  }

  async #layout(
    place: RepositoryPlace,
    id: string,
    disk: string,
    top: readonly SavedNode[],
    signal: AbortSignal,
  ): Promise<DiskLayout> {
    if (top.some(({ name }) => name === disk)) {
      throw new MullionError('backup_damaged', `The backup ${id.slice(0, 12)} holds ${disk} twice.`);
    }
    return readLayout(disk, await this.#inner.entries(place, id, folderOf(disk), signal));
  }
}

const asFile = ({ name, size, mode, uid, gid }: DiskLayout): SavedNode => ({
  ...{ name, size, mode, uid, gid },
  type: 'file',
  target: '',
  opaque: false,
});
