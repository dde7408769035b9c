import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { choicesOf, type PackageSection, parsePackageList } from '../src/cli/quickstart/package-list.ts';

const ROOT = join(import.meta.dirname, '..');

/**
 * Installs what is missing of the named sections of debian-packages.txt, with apt's output on stderr.
 * Returns why it could not, as the reason for tests that are then skipped; undefined when all are there.
 */
export function ensureDebianPackages(sections: readonly PackageSection[]): string | undefined {
  const list = parsePackageList(readFileSync(join(ROOT, 'debian-packages.txt'), 'utf8'));
  const missing = choicesOf(list, sections, process.arch).filter((names) => !names.some(isInstalled));
  if (missing.length === 0) return undefined;
  const told = missing.map(([name]) => name).join(' ');
  if (process.getuid?.() !== 0) return `not root, and not installed: ${told}`;
  console.error(`installing ${missing.length} Debian packages: ${told}`);
  const apt = (...argv: string[]): boolean =>
    spawnSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...argv], {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
    }).status === 0;
  const install = (): boolean => {
    const chosen = missing.map((names) => names.find(isKnown) ?? names[0]);
    return apt('install', '--yes', '--no-install-recommends', ...chosen);
  };
  return apt('update') && install() ? undefined : `apt-get could not install ${told}`;
}

/** The archive that apt reads has it. */
const isKnown = (name: string): boolean =>
  spawnSync('apt-cache', ['show', '--quiet', name], { stdio: 'ignore' }).status === 0;

function isInstalled(name: string): boolean {
  const result = spawnSync('dpkg-query', ['--show', '--showformat', `\${db:Status-Status}`, name], {
    encoding: 'utf8',
  });
  return result.status === 0 && result.stdout === 'installed';
}
