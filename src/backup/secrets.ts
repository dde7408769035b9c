import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MullionError } from '../contract/errors.ts';
import type { RepositoryPlace, RepositorySecrets } from './backup.ts';

const ID = /^[0-9a-f]{12}$/;
const FILES = { key: 'key', credentials: 'credentials', knownHosts: 'known_hosts' } as const;
type SecretName = keyof typeof FILES;

/** A key of 256 random bits. */
export const newKey = (): string => randomBytes(32).toString('base64url');

/** The secrets of repositories: a folder each, mode 0700, with files of mode 0600. */
export class SecretFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  places(): string[] {
    if (!existsSync(this.#root)) return [];
    return readdirSync(this.#root).filter((name) => ID.test(name));
  }

  write({ id }: RepositoryPlace, secrets: RepositorySecrets & { readonly key: string }): void {
    const folder = this.#folder(id);
    for (const path of [this.#root, folder]) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      chmodSync(path, 0o700);
    }
    this.#put(folder, 'key', `${secrets.key}\n`);
    if (secrets.credentials !== undefined) this.#put(folder, 'credentials', lines(secrets.credentials));
    this.#put(folder, 'knownHosts', lines(secrets.knownHosts ?? ''));
  }

  async remove({ id }: RepositoryPlace): Promise<void> {
    await rm(this.#folder(id), { recursive: true, force: true });
  }

  path({ id }: RepositoryPlace, name: SecretName): string {
    return join(this.#folder(id), FILES[name]);
  }

  has(place: RepositoryPlace, name: SecretName): boolean {
    return existsSync(this.path(place, name));
  }

  /** @throws MullionError `not_found` when the state directory lost it */
  key(place: RepositoryPlace): string {
    const path = this.path(place, 'key');
    if (!existsSync(path)) {
      throw new MullionError('not_found', `The key of the repository ${place.url} is not on this host.`, {
        remedy:
          'Remove the repository, and add it again with its key: mullion backup repo add NAME URL --key FILE',
      });
    }
    return readFileSync(path, 'utf8').trimEnd();
  }

  #folder(id: string): string {
    if (!ID.test(id)) throw new TypeError(`"${id}" is no id of a repository`);
    return join(this.#root, id);
  }

  #put(folder: string, name: SecretName, text: string): void {
    const path = join(folder, FILES[name]);
    writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true });
    chmodSync(`${path}.new`, 0o600);
    renameSync(`${path}.new`, path);
  }
}

/** ssh(1) reads no key whose last line has no end. */
const lines = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);
