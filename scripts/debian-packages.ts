import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PackageSection, packagesOf, parsePackageList } from '../src/cli/quickstart/package-list.ts';

const ROOT = join(import.meta.dirname, '..');

/**
 * Installs what is missing of the named sections of debian-packages.txt, with apt's output on stderr.
 * Returns why it could not, as the reason for tests that are then skipped; undefined when all are there.
 */
export function ensureDebianPackages(sections: readonly PackageSection[]): string | undefined {
  const list = parsePackageList(readFileSync(join(ROOT, 'debian-packages.txt'), 'utf8'));
  const wanted = packagesOf(list, sections, process.arch);
  const missing = wanted.filter((name) => !isInstalled(name));
  if (missing.length === 0) return undefined;
  if (process.getuid?.() !== 0) return `not root, and not installed: ${missing.join(' ')}`;
  console.error(`installing ${missing.length} Debian packages: ${missing.join(' ')}`);
  const apt = (...argv: string[]): boolean =>
    spawnSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...argv], {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
    }).status === 0;
  const install = ['install', '--yes', '--no-install-recommends', ...missing];
  if (apt('update') && apt(...install)) return undefined;
  return `apt-get could not install ${missing.join(' ')}`;
}

function isInstalled(name: string): boolean {
  const result = spawnSync('dpkg-query', ['--show', '--showformat', `\${db:Status-Status}`, name], {
    encoding: 'utf8',
  });
  return result.status === 0 && result.stdout === 'installed';
}
