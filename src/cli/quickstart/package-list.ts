import { MullionError } from '../../contract/errors.ts';

export const PACKAGE_SECTIONS = ['runtime', 'xen', 'test', 'fresh', 'bench'] as const;
export type PackageSection = (typeof PACKAGE_SECTIONS)[number];

export interface DebianPackage {
  /** The one that is wanted, before others that do instead where a release lacks it. */
  readonly names: readonly [string, ...string[]];
  readonly section: PackageSection;
  /** Debian architecture that needs it; undefined: every one. */
  readonly architecture: string | undefined;
  readonly reason: string;
}

const NAME = '[a-z0-9][a-z0-9+.-]+';
const LINE = new RegExp(`^(${NAME}(?: \\| ${NAME})*)(?: \\(([a-z0-9]+)\\))? # (.+)$`);

/** Debian's name of a processor architecture that Node names. */
const DEBIAN_ARCHITECTURE: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * Reads debian-packages.txt: `[section]` lines, `name | instead (architecture) # reason` lines, comments and blank lines.
 * @throws MullionError `internal` that names the line.
 */
export function parsePackageList(text: string): DebianPackage[] {
  const packages: DebianPackage[] = [];
  let section: PackageSection | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const heading = /^\[(\w+)\]$/.exec(line)?.[1];
    if (heading !== undefined) {
      section = PACKAGE_SECTIONS.find((known) => known === heading);
      if (section !== undefined) continue;
    }
    const match = LINE.exec(line);
    const [, list = '', architecture, reason] = match ?? [];
    const [name, ...instead] = list.split(' | ');
    if (section === undefined || name === undefined || reason === undefined) {
      throw new MullionError('internal', `Line ${index + 1} of debian-packages.txt cannot be read: ${line}`);
    }
    packages.push({ names: [name, ...instead], section, architecture, reason });
  }
  return packages;
}

/** Names of the packages that a host of Node's architecture `arch` needs. */
export const packagesOf = (
  packages: readonly DebianPackage[],
  sections: readonly PackageSection[],
  arch: string,
): string[] => choicesOf(packages, sections, arch).map(([name]) => name);

/** The same, each with those that do instead of it. */
export function choicesOf(
  packages: readonly DebianPackage[],
  sections: readonly PackageSection[],
  arch: string,
): DebianPackage['names'][] {
  const own = DEBIAN_ARCHITECTURE[arch];
  return packages
    .filter(({ section }) => sections.includes(section))
    .filter(({ architecture }) => architecture === undefined || architecture === own)
    .map(({ names }) => names);
}
