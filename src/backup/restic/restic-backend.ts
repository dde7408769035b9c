import { existsSync } from 'node:fs';
import { chmod, chown, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import { parseRepositoryUrl } from '../../core/repository-url.ts';
import { hasProgram } from '../../host/programs.ts';
import { run } from '../../host/run.ts';
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
import { newKey, SecretFiles } from '../secrets.ts';
import {
  type CommandOptions,
  type Outcome,
  patiently,
  runRestic,
  streamRestic,
  writeSparse,
} from './command.ts';
import { readProgress, readSnapshots, type TreeNode, viewNode } from './documents.ts';
import { type KeyGroup, withSmallShare } from './key-group.ts';
import { type Invocation, renderInvocation, tagsOf } from './render.ts';
import { TreeReader } from './tree-reader.ts';

/** Times in milliseconds; absent: as `command.ts` has them. */
export interface Patience {
  /** For locks of other programs. */
  readonly lockMs?: number | undefined;
  /** For what fails and is tried again. */
  readonly retryMs?: number | undefined;
}

export interface ResticOptions {
  /** Holds the secrets, mode 0700. */
  readonly secretsDirectory: string;
  /** May be deleted. */
  readonly cacheDirectory: string;
  readonly patience?: Patience | undefined;
  /** Keys that cost little to derive are made in it. */
  readonly keyGroup?: KeyGroup | undefined;
}

/** Written by every snapshot, so that no host's name matters to restic's own grouping. */
const HOST = 'mullion';

type Work = Pick<CommandOptions, 'verb' | 'cwd' | 'signal' | 'onLine' | 'onStart'>;

/** Repositories of restic (Debian's package; 0.14 or later). */
export class ResticBackend implements BackupBackend {
  readonly name = 'restic';
  readonly #secrets: SecretFiles;
  readonly #cache: string;
  readonly #patience: Patience;
  readonly #keyGroup: KeyGroup | undefined;
  readonly #trees = new TreeReader(
    async (place, args, signal) => (await this.#reading(place, { verb: 'cat', signal }, args)).stdout,
  );

  constructor({ secretsDirectory, cacheDirectory, patience = {}, keyGroup }: ResticOptions) {
    this.#secrets = new SecretFiles(secretsDirectory);
    this.#cache = cacheDirectory;
    this.#patience = patience;
    this.#keyGroup = keyGroup;
  }

  async probe(): Promise<BackupProbe> {
    const remedy = 'Install it: apt-get install restic';
    if (!hasProgram('restic'))
      return { available: false, version: '', reason: 'restic is not installed', remedy };
    const { stdout } = await run(['restic', 'version'], { timeoutMs: 20_000 });
    const version = /^restic (\d+\.\d+\S*)/.exec(stdout)?.[1] ?? '';
    const [major = 0, minor = 0] = version.split('.').map(Number);
    const available = major > 0 || minor >= 14;
    return { available, version, reason: `restic ${version}`, remedy: available ? '' : remedy };
  }

  async add(place: RepositoryPlace, secrets: RepositorySecrets, signal: AbortSignal): Promise<void> {
    const { kind } = parseRepositoryUrl(place.url);
    if (kind !== 'folder' && secrets.credentials === undefined) {
      throw new MullionError('invalid_request', `The repository ${place.url} needs credentials.`, {
        remedy:
          kind === 'sftp'
            ? 'Give a private SSH key: --credentials FILE'
            : 'Give a credentials file of AWS: --credentials FILE',
      });
    }
    this.#secrets.write(place, { ...secrets, key: secrets.key ?? newKey() });
    try {
      if (secrets.key === undefined) await this.#init(place, signal);
      await this.#reading(place, { verb: 'cat', signal }, ['cat', 'config']);
    } catch (failure) {
      await this.remove(place);
      throw failure;
    }
  }

  async remove(place: RepositoryPlace): Promise<void> {
    await this.#secrets.remove(place);
    await rm(this.#cacheOf(place), { recursive: true, force: true });
  }

  async key(place: RepositoryPlace): Promise<string> {
    return this.#secrets.key(place);
  }

  async list(place: RepositoryPlace, signal: AbortSignal): Promise<SavedFolder[]> {
    const { stdout } = await this.#reading(place, { verb: 'snapshots', signal }, ['snapshots', '--json']);
    return readSnapshots(stdout);
  }

  async check(place: RepositoryPlace, signal: AbortSignal, alone = false): Promise<void> {
    const work = { verb: 'check', signal };
    await (alone ? this.#locked(place, work, ['check']) : this.#reading(place, work, ['check']));
  }

  async save(place: RepositoryPlace, request: SaveRequest): Promise<SaveResult> {
    const { folder, labels, parent, trustTimes = false, onProgress, signal } = request;
    let summary: { readonly size: number; readonly added: number; readonly id: string } | undefined;
    const onLine = (line: string): void => {
      const news = readProgress(line);
      if (news?.message_type === 'status' && news.total_bytes !== undefined) {
        onProgress({ done: news.bytes_done ?? 0, total: news.total_bytes });
      } else if (news?.message_type === 'summary') {
        summary = { size: news.total_bytes_processed, added: news.data_added, id: news.snapshot_id };
      }
    };
    // In the folder itself: names in the repository then begin there, wherever the folder lies.
    await this.#locked(place, { verb: 'backup', cwd: folder, onLine, signal }, [
      'backup',
      '--json',
      '--host',
      HOST,
      ...(parent === undefined ? ['--force'] : ['--parent', parent]),
      ...(trustTimes ? ['--ignore-inode', '--ignore-ctime'] : []),
      ...tagsOf(labels),
      '.',
    ]);
    if (summary === undefined) throw new MullionError('command_failed', 'restic told nothing of its backup.');
    const { id, size, added } = summary;
    const saved = (await this.list(place, signal)).find((other) => other.id.startsWith(id));
    if (saved === undefined) {
      throw new MullionError('backup_damaged', `The repository ${place.url} lost what was saved just now.`);
    }
    return { saved, size, added };
  }

  async restore(place: RepositoryPlace, id: string, request: RestoreRequest): Promise<void> {
    const { target, except = [], verify = false, signal } = request;
    const top = await this.#trees.entries(place, id, '', signal);
    const wanted = top.filter(({ name }) => !except.includes(name));
    if (wanted.some(({ name }) => name.includes('/') || name === '..' || name === '.')) {
      throw new MullionError('backup_damaged', `The backup ${id.slice(0, 12)} holds names that cannot be.`);
    }
    const folders = wanted.filter(({ type }) => type !== 'file');
    if (folders.length > 0) {
      const left = top.filter((node) => !folders.includes(node)).map(({ name }) => name);
      await this.#locked(place, { verb: 'restore', signal }, [
        'restore',
        id,
        '--target',
        target,
        ...left.flatMap((name) => ['--exclude', `/${escaped(name)}`]),
        ...(verify ? ['--verify'] : []),
      ]);
    }
    for (const node of wanted.filter(({ type }) => type === 'file')) {
      await this.#writeDisk(place, id, node, target, signal);
    }
  }

  async look(
    place: RepositoryPlace,
    id: string,
    path: string,
    signal: AbortSignal,
  ): Promise<SavedNode | undefined> {
    const node = await this.#trees.walk(place, id, path, signal);
    return node === undefined ? undefined : viewNode(node);
  }

  async entries(place: RepositoryPlace, id: string, path: string, signal: AbortSignal): Promise<SavedNode[]> {
    return (await this.#trees.entries(place, id, path, signal)).map(viewNode);
  }

  async read(place: RepositoryPlace, id: string, path: string, signal: AbortSignal): Promise<Readable> {
    const options = this.#options(place, { verb: 'dump', signal });
    return streamRestic(this.#render(place, ['--no-lock', 'dump', id, `/${path}`]), options);
  }

  async forget(
    place: RepositoryPlace,
    which: readonly string[] | Choice,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#patiently(place, signal, async () => {
      const ids = typeof which === 'function' ? which(await this.list(place, signal)) : which;
      if (ids.length > 0) await this.#once(place, { verb: 'forget', signal }, ['forget', '--prune', ...ids]);
    });
  }

  async places(): Promise<string[]> {
    return this.#secrets.places();
  }

  async #init(place: RepositoryPlace, signal: AbortSignal): Promise<void> {
    const init = (onStart?: (pid: number) => void): Promise<Outcome> =>
      this.#once(place, { verb: 'init', signal, onStart }, ['init']);
    await (this.#keyGroup === undefined ? init() : withSmallShare(this.#keyGroup, place.id, init));
  }

  async #writeDisk(
    place: RepositoryPlace,
    id: string,
    { name, size = 0, mode = 0o600, uid = 0, gid = 0 }: TreeNode,
    target: string,
    signal: AbortSignal,
  ): Promise<void> {
    const path = join(target, name);
    const options = this.#options(place, { verb: 'dump', signal });
    await this.#patiently(place, signal, async () => {
      await rm(path, { force: true });
      await writeSparse(this.#render(place, ['dump', id, `/${name}`]), options, path);
    });
    await chown(path, uid, gid);
    await chmod(path, mode & 0o777);
    const written = (await stat(path)).size;
    if (written === size) return;
    throw new MullionError(
      'backup_damaged',
      `${name} of the backup has ${written} bytes instead of ${size}.`,
    );
  }

  /** What only looks needs no lock of its own: a lock would have to be written. */
  #reading(place: RepositoryPlace, work: Work, args: readonly string[]): Promise<Outcome> {
    return this.#once(place, work, ['--no-lock', ...args]);
  }

  #locked(place: RepositoryPlace, work: Work, args: readonly string[]): Promise<Outcome> {
    return this.#patiently(place, work.signal, () => this.#once(place, work, args));
  }

  #patiently<T>(place: RepositoryPlace, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    return patiently(
      attempt,
      async () => {
        await this.#once(place, { verb: 'unlock', signal }, ['unlock']);
      },
      signal,
      this.#patience.lockMs,
    );
  }

  #once(place: RepositoryPlace, work: Work, args: readonly string[]): Promise<Outcome> {
    return runRestic(this.#render(place, args), this.#options(place, work));
  }

  #options({ url }: RepositoryPlace, work: Work): CommandOptions {
    const address = parseRepositoryUrl(url);
    const isGone = (): boolean => address.kind === 'folder' && !existsSync(join(address.path, 'config'));
    return { url, ...work, isGone, retryMs: this.#patience.retryMs };
  }

  #render(place: RepositoryPlace, args: readonly string[]): Invocation {
    if (!hasProgram('restic')) {
      throw new MullionError('host_unfit', 'Backups need the program restic, which is not installed.', {
        remedy: 'Install it: apt-get install restic',
      });
    }
    this.#secrets.key(place);
    const secrets = {
      key: this.#secrets.path(place, 'key'),
      credentials: this.#secrets.has(place, 'credentials')
        ? this.#secrets.path(place, 'credentials')
        : undefined,
      knownHosts: this.#secrets.path(place, 'knownHosts'),
    };
    return renderInvocation(place.url, secrets, this.#cacheOf(place), args);
  }

  #cacheOf({ id }: RepositoryPlace): string {
    return join(this.#cache, id);
  }
}

/** For restic's patterns, which are those of Go's filepath.Match. */
const escaped = (name: string): string => name.replace(/[\\*?[\]]/g, '\\$&');
