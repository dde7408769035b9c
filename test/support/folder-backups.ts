import { randomBytes } from 'node:crypto';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type {
  BackupBackend,
  BackupProbe,
  Choice,
  DiskInspector,
  RepositoryPlace,
  RepositorySecrets,
  RestoreRequest,
  SavedFolder,
  SavedNode,
  SaveRequest,
  SaveResult,
} from '../../src/backup/backup.ts';
import { MullionError } from '../../src/contract/errors.ts';

/** Backups that are plain copies in a folder: for what the engine does with them, not for what they hold. */
export class FolderBackups implements BackupBackend {
  readonly name = 'folder';
  readonly keys = new Map<string, string>();
  readonly saved = new Map<string, SavedFolder[]>();
  /** Repositories that are away, and those that have lost data. */
  readonly away = new Set<string>();
  readonly lost = new Set<string>();
  /** Repositories out of which another program deletes, and whether it ends when it is waited for. */
  readonly pruned = new Map<string, 'ends' | 'goes on'>();
  /** Thrown by the next save. */
  failure: MullionError | undefined;
  /** Saves wait for it. */
  gate: Promise<void> = Promise.resolve();
  clock: () => Date = () => new Date();
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async probe(): Promise<BackupProbe> {
    return { available: true, version: '1', reason: 'a folder', remedy: '' };
  }
  async add({ id, url }: RepositoryPlace, { key }: RepositorySecrets): Promise<void> {
    if (url.includes('unreachable'))
      throw new MullionError('repository_unreachable', `${url} does not answer.`);
    this.keys.set(id, key ?? randomBytes(8).toString('hex'));
    if (!this.saved.has(url)) this.saved.set(url, []);
  }
  async remove({ id }: RepositoryPlace): Promise<void> {
    this.keys.delete(id);
  }
  async key({ id }: RepositoryPlace): Promise<string> {
    const key = this.keys.get(id);
    if (key === undefined) throw new MullionError('not_found', 'no key');
    return key;
  }
  async list({ url }: RepositoryPlace): Promise<SavedFolder[]> {
    if (this.away.has(url)) throw new MullionError('repository_unreachable', `${url} is not there.`);
    return [...(this.saved.get(url) ?? [])];
  }
  async check({ url }: RepositoryPlace, _signal: AbortSignal, alone = false): Promise<void> {
    const prune = this.pruned.get(url);
    if (alone && prune === 'goes on') throw new MullionError('in_use', `${url} is locked.`);
    if (this.lost.has(url) || (!alone && prune !== undefined))
      throw new MullionError('backup_damaged', `${url} has lost something.`);
  }
  async save(
    { url }: RepositoryPlace,
    { folder, labels, onProgress, signal }: SaveRequest,
  ): Promise<SaveResult> {
    onProgress({ done: 1, total: 2 });
    await Promise.race([
      this.gate,
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    ]);
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
    const id = randomBytes(32).toString('hex');
    await mkdir(this.#root, { recursive: true });
    if (existsSync(folder)) await cp(folder, this.#path(id), { recursive: true });
    else await mkdir(this.#path(id));
    const saved = { id, createdAt: this.clock().toISOString(), labels };
    this.saved.set(url, [...(this.saved.get(url) ?? []), saved]);
    return { saved, size: 2, added: 1 };
  }
  async restore(_place: RepositoryPlace, id: string, { target, except = [] }: RestoreRequest): Promise<void> {
    const names = await readdir(this.#path(id));
    for (const name of names.filter((one) => !except.includes(one))) {
      await cp(join(this.#path(id), name), join(target, name), { recursive: true });
    }
  }
  async look(): Promise<SavedNode | undefined> {
    return undefined;
  }
  async entries(_place: RepositoryPlace, id: string, path: string): Promise<SavedNode[]> {
    const folder = join(this.#path(id), path);
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.map((entry) => ({
      name: entry.name,
      type: entry.isDirectory() ? 'directory' : 'file',
      size: entry.isDirectory() ? 0 : statSync(join(folder, entry.name)).size,
      ...{ mode: 0o600, uid: 0, gid: 0, target: '', opaque: false },
    }));
  }
  async read(_place: RepositoryPlace, id: string, path: string): Promise<Readable> {
    return createReadStream(join(this.#path(id), path));
  }
  async forget({ url }: RepositoryPlace, which: readonly string[] | Choice): Promise<void> {
    const all = this.saved.get(url) ?? [];
    const ids = typeof which === 'function' ? which(all) : which;
    this.saved.set(
      url,
      all.filter(({ id }) => !ids.includes(id)),
    );
    for (const id of ids) await rm(this.#path(id), { recursive: true, force: true });
  }
  async places(): Promise<string[]> {
    return [...this.keys.keys()];
  }

  #path(id: string): string {
    return join(this.#root, id);
  }
}

export class NotedDisks implements DiskInspector {
  readonly checked: string[] = [];

  async check(volume: string): Promise<void> {
    this.checked.push(volume);
  }
  async read(): Promise<Readable> {
    return Readable.from(['of a disk']);
  }
}
