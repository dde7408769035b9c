/** One archive as sources.list(5) knows it: one URI with one suite. */
export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** Keyring paths, fingerprints, or a key itself over several lines, as written. */
  readonly signedBy?: string | undefined;
}

/** Where this host gets Debian from. */
export interface DebianArchive {
  readonly main: string;
  readonly signedBy?: string | undefined;
  /** Whether the host also takes the suite's `-updates` there. */
  readonly updates: boolean;
  readonly security?: { readonly uri: string; readonly signedBy?: string | undefined } | undefined;
}

const SUITES = [
  'bullseye',
  'bookworm',
  'trixie',
  'forky',
  'sid',
  'unstable',
  'testing',
  'stable',
  'oldstable',
];
const DEBIAN_KEYRING = /debian-archive|BEGIN PGP PUBLIC KEY BLOCK/;

/** The one-line format of sources.list(5); `deb-src` lines and what cannot be read are left out. */
export function parseListFile(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    const [, options = '', uri, suite, components = ''] = match ?? [];
    if (uri === undefined || suite === undefined) return [];
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1];
    return [{ uri, suite, components: words(components), signedBy }];
  });
}

/** The deb822 format of sources.list(5). */
export function parseSourcesFile(text: string): AptSource[] {
  return text.split(/\n[ \t]*\n/).flatMap((stanza) => {
    const fields = parseStanza(stanza);
    const field = (name: string): string => fields.get(name) ?? '';
    if (/^(no|false|off|disable|0)$/i.test(field('enabled').trim())) return [];
    if (!words(field('types')).includes('deb')) return [];
    const signedBy = fields.get('signed-by');
    return words(field('uris')).flatMap((uri) =>
      words(field('suites')).map((suite) => ({
        uri,
        suite,
        components: words(field('components')),
        signedBy,
      })),
    );
  });
}

function parseStanza(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let current: string | undefined;
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#')) continue;
    const head = /^([A-Za-z][A-Za-z0-9-]*)\s*:\s*(.*)$/.exec(line);
    if (head !== null) {
      current = head[1]?.toLowerCase() ?? '';
      fields.set(current, head[2] ?? '');
    } else if (current !== undefined && /^[ \t]/.test(line)) {
      fields.set(current, `${fields.get(current) ?? ''}\n${line}`);
    }
  }
  return fields;
}

/**
 * The Debian archive among this host's sources: other archives use Debian's suite names too, so that Debian's keyring,
 * an `-updates` suite beside it and a path that ends in /debian each speak for an entry. Undefined when there is none.
 */
export function findDebianArchive(sources: readonly AptSource[]): DebianArchive | undefined {
  const usable = sources.filter(
    ({ uri, components }) => /^(https?|file|copy|ftp):/.test(uri) && components.includes('main'),
  );
  const hasUpdates = (uri: string): boolean =>
    usable.some((other) => sameUri(other.uri, uri) && other.suite.endsWith('-updates'));
  const score = ({ uri, signedBy = '' }: AptSource): number =>
    (DEBIAN_KEYRING.test(signedBy) ? 4 : 0) + (hasUpdates(uri) ? 2 : 0) + (/\/debian\/?$/.test(uri) ? 1 : 0);
  const [best] = usable
    .filter(({ suite }) => SUITES.includes(suite))
    .map((source) => ({ source, score: score(source) }))
    .filter((candidate) => candidate.score > 0)
    .sort((left, right) => right.score - left.score);
  if (best === undefined) return undefined;
  const security = usable.find(({ suite }) => /^[a-z]+(-security|\/updates)$/.test(suite));
  return {
    main: best.source.uri,
    signedBy: best.source.signedBy,
    updates: hasUpdates(best.source.uri),
    security: security && { uri: security.uri, signedBy: security.signedBy },
  };
}

/** Sources for a suite from that archive, in the deb822 format. */
export function renderSources(archive: DebianArchive, suite: string): string {
  const stanza = (uri: string, suites: string, signedBy: string | undefined): string =>
    [
      'Types: deb',
      `URIs: ${uri}`,
      `Suites: ${suites}`,
      'Components: main',
      ...(signedBy === undefined ? [] : [`Signed-By: ${signedBy}`]),
    ].join('\n');
  const main = stanza(archive.main, archive.updates ? `${suite} ${suite}-updates` : suite, archive.signedBy);
  const { security } = archive;
  if (security === undefined) return `${main}\n`;
  return `${main}\n\n${stanza(security.uri, `${suite}-security`, security.signedBy)}\n`;
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');
const sameUri = (left: string, right: string): boolean =>
  left.replace(/\/+$/, '') === right.replace(/\/+$/, '');
