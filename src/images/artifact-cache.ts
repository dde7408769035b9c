import { chmod, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lock } from '../host/locks.ts';
import { lockFile } from '../host/locks.ts';
import { run } from '../host/run.ts';
import { ARTIFACT_FILE, type Artifact, readArtifact } from './artifact.ts';
import { waitForLock } from './waiting-lock.ts';

const STAGING = '.building-';
const REMOVE_MS = 600_000;

/**
 * Finished builds, a folder each, named by digest. A folder appears whole or not at all; who builds or copies one holds
 * its lock, so that daemons and tests share the cache. Only root reads it: set-uid programs lie inside.
 */
export class ArtifactCache {
  readonly #folder: string;

  constructor(cacheDirectory: string) {
    this.#folder = join(cacheDirectory, 'images');
  }

  /** Removes what killed builds left; what is being built elsewhere stays. */
  async open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await chmod(this.#folder, 0o700);
    for (const name of await readdir(this.#folder)) {
      if (name.startsWith(STAGING)) await this.#removeUnlessHeld(name.slice(STAGING.length), name);
    }
  }

  lock(key: string, signal: AbortSignal, onWait: () => void): Promise<Lock & Disposable> {
    return waitForLock(this.#lockPath(key), signal, onWait);
  }

  folder(key: string): string {
    return join(this.#folder, key);
  }

  read(key: string): Promise<Artifact | undefined> {
    return readArtifact(this.folder(key));
  }

  /** A new empty folder for a build of that key, whose lock the caller holds. */
  async stage(key: string): Promise<string> {
    const path = join(this.#folder, `${STAGING}${key}`);
    await removeTree(path);
    await mkdir(path, { mode: 0o700 });
    return path;
  }

  async discard(key: string): Promise<void> {
    await removeTree(join(this.#folder, `${STAGING}${key}`));
  }

  /** Publishes what was built, and drops former builds of the same recipe that nobody is copying. */
  async keep(artifact: Artifact): Promise<void> {
    const staging = join(this.#folder, `${STAGING}${artifact.key}`);
    await writeFile(join(staging, ARTIFACT_FILE), `${JSON.stringify(artifact, null, 2)}\n`, { flush: true });
    await run(['sync', '--file-system', staging], { timeoutMs: REMOVE_MS });
    await removeTree(this.folder(artifact.key));
    await rename(staging, this.folder(artifact.key));
    for (const name of await readdir(this.#folder)) {
      if (name === artifact.key || !/^[0-9a-f]{64}$/.test(name)) continue;
      if ((await this.read(name))?.recipe === artifact.recipe) await this.#removeUnlessHeld(name, name);
    }
  }

  async #removeUnlessHeld(key: string, name: string): Promise<void> {
    const lock = lockFile(this.#lockPath(key));
    if (lock === undefined) return;
    try {
      await removeTree(join(this.#folder, name));
    } finally {
      lock.release();
    }
  }

  #lockPath(key: string): string {
    return join(this.#folder, `${key}.lock`);
  }
}

const removeTree = async (path: string): Promise<void> => {
  await run(['rm', '--recursive', '--force', '--one-file-system', '--', path], { timeoutMs: REMOVE_MS });
};
