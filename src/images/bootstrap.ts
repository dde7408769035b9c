import { writeFile } from 'node:fs/promises';
import { run } from '../host/run.ts';
import { buildFailure } from './build-failure.ts';
import { MERGED_USR_PACKAGE, type Recipe } from './recipe.ts';

const LIMIT_MS = 3_600_000;
/** Folders that are left out of every package; copyright files stay. */
const EXCLUDED = ['man', 'info', 'doc', 'doc-base', 'lintian', 'locale'];
const INCLUDED = ['doc/*/copyright', 'locale/locale.alias'];
const SHARE = '/usr/share';
const OPTIONS = '/etc/dpkg/dpkg.cfg.d/90mullion-build';

/**
 * dpkg leaves them out by these options (dpkg(1)). Given to mmdebstrap, they would also have a filter in Python look at
 * every byte of the first packages, which takes longer than to unpack all of it.
 */
const LEAVE_OUT = [
  ...EXCLUDED.map((name) => `path-exclude=${SHARE}/${name}/*`),
  ...INCLUDED.map((path) => `path-include=${SHARE}/${path}`),
];
/** Makes /bin, /sbin and /lib links into /usr before anything is unpacked, as debootstrap(8) does. */
const MERGED_USR = '/usr/share/mmdebstrap/hooks/merged-usr';

/** What mmdebstrap itself unpacked before there was a dpkg. */
const REMOVE_REST = `rm "$1${OPTIONS}"; cd "$1${SHARE}"
for d in ${EXCLUDED.join(' ')}; do
  [ -d "$d" ] || continue
  find "$d" ${INCLUDED.map((path) => `! -path '${path}'`).join(' ')} ! -type d -delete
  find "$d" -mindepth 1 -type d -empty -delete
done`;

export interface BootstrapFolders {
  /** Becomes the root file system; must not exist. */
  readonly target: string;
  /** Package files, in the names apt gives them. */
  readonly debs: string;
  /** apt's lists. */
  readonly lists: string;
  /** A file of sources in the deb822 format, named `*.sources`. */
  readonly sources: string;
}

/** mmdebstrap(1), told to take lists and packages from the folders: it has nothing to fetch. */
export function renderBootstrap(recipe: Recipe, folders: BootstrapFolders): string[] {
  return [
    'mmdebstrap',
    ...['--mode=root', '--format=directory', '--variant=apt', '--verbose'],
    `--architectures=${recipe.architecture}`,
    '--skip=update,check/empty,essential/unlink',
    `--include=${recipe.packages.join(',')}`,
    // Nothing survives of a build that loses its power, so that nothing needs to reach the disk before its end.
    '--dpkgopt=force-unsafe-io',
    `--extract-hook=printf '%s\\n' ${LEAVE_OUT.map((option) => `'${option}'`).join(' ')} >"$1${OPTIONS}"`,
    `--customize-hook=${REMOVE_REST}`,
    '--setup-hook=mkdir -p "$1/var/cache/apt/archives"',
    `--setup-hook=sync-in '${folders.debs}' /var/cache/apt/archives`,
    `--setup-hook=sync-in '${folders.lists}' /var/lib/apt/lists`,
    ...(recipe.packages.includes(MERGED_USR_PACKAGE) ? [`--hook-dir=${MERGED_USR}`] : []),
    recipe.suite,
    folders.target,
    folders.sources,
  ];
}

/**
 * A command whose whole tree of processes and mounts ends with it, and it with this process: setpriv(1) hands on our
 * end, the namespace of processes takes its members along, that of mounts its mounts.
 */
export const contained = (argv: readonly string[]): string[] => [
  ...['setpriv', '--pdeathsig', 'KILL'],
  ...['unshare', '--mount', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc', '--'],
  ...argv,
];

/** Items of work that dpkg has done: each package is unpacked once and set up once. */
export function countWork(output: string): number {
  return [...output.matchAll(/^(?:Unpacking|Setting up) /gm)].length;
}

/** Builds the root file system from package files that are there. */
export async function bootstrap(
  recipe: Recipe,
  packages: number,
  folders: BootstrapFolders,
  sources: string,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<void> {
  await writeFile(folders.sources, sources);
  const total = packages * 2;
  let done = 0;
  onProgress(0, total);
  try {
    await run(contained(renderBootstrap(recipe, folders)), {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      timeoutMs: LIMIT_MS,
      signal,
      onOutput: lines((line) => {
        const work = countWork(line);
        if (work === 0) return;
        done = Math.min(done + work, total);
        onProgress(done, total);
      }),
    });
  } catch (failure) {
    throw buildFailure(failure, 'mmdebstrap');
  }
  onProgress(total, total);
}

/** Calls back with each whole line of a text that comes in pieces. */
function lines(onLine: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) onLine(line);
  };
}
