import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../host/run.ts';
import { type AptFolders, aptFolders, renderAptConfig } from './apt-config.ts';
import { buildFailure } from './build-failure.ts';
import {
  kernelPackageFile,
  type PackageFile,
  parseDownloadPercent,
  parsePrintUris,
  type Resolution,
  ResolutionSchema,
  supersededFiles,
} from './package-list.ts';
import { BUSYBOX_PACKAGE, digestOf, type Recipe } from './recipe.ts';

const FRESH_MS = 3_600_000;
const UPDATE_MS = 600_000;
const DOWNLOAD_MS = 3_600_000;

/**
 * The archive's packages for one suite and architecture, by an apt of our own. One at a time may use its folders.
 * Each call fails with `build_failed`, in apt's own words.
 */
export class PackageArchive {
  readonly folders: AptFolders;
  readonly #architecture: string;
  readonly #sources: string;
  readonly #signal: AbortSignal;

  /** `sources` in the deb822 format. */
  constructor(cacheDirectory: string, recipe: Recipe, sources: string, signal: AbortSignal) {
    this.folders = aptFolders(cacheDirectory, recipe.suite, recipe.architecture);
    this.#architecture = recipe.architecture;
    this.#sources = sources;
    this.#signal = signal;
  }

  /** Brings the lists up to date, unless that was done within the hour from the same sources. */
  async update(): Promise<void> {
    const { folders } = this;
    for (const folder of [
      folders.sources,
      join(folders.lists, 'partial'),
      join(folders.archives, 'partial'),
    ]) {
      await mkdir(folder, { recursive: true });
    }
    await writeFile(folders.config, renderAptConfig(folders, this.#architecture));
    await writeFile(folders.status, '');
    const stamp = this.#stamp;
    const updatedAt = await stat(stamp)
      .then(({ mtimeMs }) => mtimeMs)
      .catch(() => 0);
    const sourcesFile = join(folders.sources, 'debian.sources');
    if (Date.now() - updatedAt < FRESH_MS && (await readFile(sourcesFile, 'utf8')) === this.#sources) return;
    await rm(stamp, { force: true });
    await rm(this.#resolved, { recursive: true, force: true });
    await writeFile(sourcesFile, this.#sources);
    await this.#apt(['update', '--error-on=any'], { timeoutMs: UPDATE_MS });
    await writeFile(stamp, '');
  }

  /** What it means by the lists that `update` read; apt takes more than a second for it, so the answer is kept with them. */
  async resolve(recipe: Recipe): Promise<Resolution> {
    const wanted = ['?essential', 'apt', ...recipe.packages];
    const path = join(this.#resolved, digestOf([wanted, recipe.kernelPackage]));
    const kept = await readResolution(path);
    if (kept !== undefined) return kept;
    const rootfs = await this.#filesOf(wanted);
    const all = await this.#filesOf([...wanted, recipe.kernelPackage, BUSYBOX_PACKAGE]);
    await mkdir(this.#resolved, { recursive: true });
    await writeFile(`${path}.new`, JSON.stringify({ rootfs, all }));
    await rename(`${path}.new`, path);
    return { rootfs, all };
  }

  /** Downloads what is not there yet; keeps what came before a failure. `onProgress` hears bytes. */
  async download(recipe: Recipe, onProgress: (done: number, total: number) => void): Promise<void> {
    const wanted = ['?essential', 'apt', ...recipe.packages, recipe.kernelPackage, BUSYBOX_PACKAGE];
    const missing = parsePrintUris(await this.#apt(['install', '--print-uris', ...wanted]));
    const total = missing.reduce((sum, { size }) => sum + size, 0);
    if (total === 0) return;
    onProgress(0, total);
    try {
      await this.#apt(['install', '--download-only', '--option', 'APT::Status-Fd=1', ...wanted], {
        timeoutMs: DOWNLOAD_MS,
        onOutput: (text) => {
          const percent = parseDownloadPercent(text);
          if (percent !== undefined) onProgress(Math.round((total * Math.min(percent, 100)) / 100), total);
        },
      });
    } catch (failure) {
      // The archive may have replaced what the lists name: the next try reads them anew.
      await rm(this.#stamp, { force: true });
      throw failure;
    }
    onProgress(total, total);
  }

  /** Drops former versions of packages that were resolved; builds under way hold links of their own. */
  async prune({ all }: Resolution): Promise<void> {
    const { archives } = this.folders;
    for (const file of supersededFiles(await readdir(archives), all))
      await rm(join(archives, file), { force: true });
  }

  get #stamp(): string {
    return join(this.folders.root, 'updated');
  }

  get #resolved(): string {
    return join(this.folders.root, 'resolved');
  }

  /** All files that these packages need, those downloaded before included. */
  async #filesOf(packages: readonly string[]): Promise<PackageFile[]> {
    const elsewhere = join(this.folders.root, 'empty');
    await mkdir(join(elsewhere, 'partial'), { recursive: true });
    const output = await this.#apt([
      'install',
      '--print-uris',
      '--option',
      `Dir::Cache::archives=${elsewhere}`,
      '--option',
      'Acquire::ForceHash=SHA256',
      ...packages,
    ]);
    return parsePrintUris(output).sort((left, right) => (left.file < right.file ? -1 : 1));
  }

  async #apt(
    argv: readonly string[],
    options: { timeoutMs?: number; onOutput?: (text: string) => void } = {},
  ): Promise<string> {
    const command = ['apt-get', '--config-file', this.folders.config, '--quiet=2', '--assume-yes', ...argv];
    try {
      const { stdout } = await run(['setpriv', '--pdeathsig', 'KILL', ...command], {
        env: { DEBIAN_FRONTEND: 'noninteractive' },
        signal: this.#signal,
        ...options,
      });
      return stdout;
    } catch (failure) {
      throw buildFailure(
        failure,
        argv[0] === 'update' ? 'reading the package lists' : 'getting the packages',
      );
    }
  }
}

/** Undefined when none is there, or none that can be read. */
async function readResolution(path: string): Promise<Resolution | undefined> {
  try {
    return ResolutionSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** The kernel's own package file and busybox's. @throws MullionError `build_failed` when the archive has none. */
export function bootFiles(resolution: Resolution): { readonly kernel: string; readonly busybox: string } {
  const kernel = kernelPackageFile(resolution.all)?.file;
  const busybox = resolution.all.find(({ file }) => file.startsWith(`${BUSYBOX_PACKAGE}_`))?.file;
  if (kernel !== undefined && busybox !== undefined) return { kernel, busybox };
  throw buildFailure(new Error('the archive has no kernel or no busybox-static'), 'choosing the kernel');
}
