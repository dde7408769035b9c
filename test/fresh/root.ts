import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { renderSources } from '../../src/images/apt-sources.ts';
import { readHostArchive } from '../../src/images/host-sources.ts';
import { answer, must } from './commands.ts';
import type { Release } from './releases.ts';

const BUILD_MS = 20 * 60_000;
const UNPACK_MS = 5 * 60_000;
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** The archive of a fresh machine's root; made once, kept in the cache, made anew when its recipe changes. */
export async function cachedRoot(release: Release, cache: string): Promise<string> {
  const sources = renderSources(await readHostArchive(), release.suite);
  const recipe = { sources, release, network: networkSettings() };
  const key = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12);
  const name = `${release.suite}-${release.kind}`;
  const archive = join(cache, `${name}-${key}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(cache, { recursive: true });
  for (const old of globSync(join(cache, `${name}-*`))) rmSync(old, { recursive: true });
  const folder = mkdtempSync(join(cache, `${name}-making-`));
  try {
    writeFileSync(join(folder, 'fresh.sources'), sources);
    const made = join(folder, 'root.tar');
    must(
      [
        'mmdebstrap',
        '--mode=root',
        '--variant=minbase',
        '--dpkgopt=force-unsafe-io',
        `--include=${release.packages.join(',')}`,
        ...networkSettings().map((line) => `--aptopt=${line}`),
        ...(existsSync(CERTIFICATES)
          ? [`--customize-hook=copy-in ${CERTIFICATES} ${dirname(CERTIFICATES)}`]
          : []),
        release.suite,
        made,
        join(folder, 'fresh.sources'),
      ],
      BUILD_MS,
      // A machine that boots gets an initial file system of its own (kernel-img.conf(5), INITRD).
      { ...process.env, INITRD: 'No' },
    );
    renameSync(made, archive);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return archive;
}

/** How this machine's apt reaches its mirror: a machine beside it has the same network. */
const networkSettings = (): string[] =>
  answer(['apt-config', 'dump'])
    .split('\n')
    .filter((line) => /^Acquire::(Check-|http|https|ftp|Retries)\S* ".+";$/.test(line));

/** A fresh machine's root, unpacked into an empty folder. */
export function unpackRoot(release: Release, archive: string, folder: string): void {
  must(
    ['tar', '--extract', '--numeric-owner', '--xattrs', '--file', archive, '--directory', folder],
    UNPACK_MS,
  );
  if (release.bringsNode) bringNode(folder);
}

/** The Node and npm that this machine's PATH leads to, put where a user's own installation would be. */
function bringNode(root: string): void {
  const node = answer(['sh', '-c', 'readlink -f "$(command -v node)"']);
  const npm = answer(['sh', '-c', 'readlink -f "$(command -v npm)"']).replace(/\/bin\/npm-cli\.js$/, '');
  const modules = join(root, 'usr/local/lib/node_modules');
  mkdirSync(modules, { recursive: true });
  cpSync(node, join(root, 'usr/local/bin/node'));
  cpSync(npm, join(modules, 'npm'), { recursive: true, verbatimSymlinks: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
}
