/** A Debian release that users have, and how the root of a fresh machine of it is made. */
export interface Release {
  readonly suite: string;
  /** Of its archive in the cache, beside the suite. */
  readonly kind: 'plain' | 'booted';
  /** Besides Debian's essential packages and apt: what README asks of a machine. */
  readonly packages: readonly string[];
  /** Debian's Node is older than README asks: this machine's is copied, as a user would bring one. */
  readonly bringsNode: boolean;
}

/** With which a root boots by itself, as the release has them. */
const BOOTED = ['linux-image-amd64', 'systemd-sysv', 'udev', 'dbus', 'iproute2'];

/** The same on a machine that boots. */
export const booted = (release: Release): Release => ({
  ...release,
  kind: 'booted',
  packages: [...release.packages, ...BOOTED],
});

export const RELEASES = {
  '12': {
    suite: 'bookworm',
    kind: 'plain',
    packages: ['ca-certificates', 'git', 'libatomic1'],
    bringsNode: true,
  },
  '13': {
    suite: 'trixie',
    kind: 'plain',
    packages: ['ca-certificates', 'git', 'nodejs', 'npm'],
    bringsNode: false,
  },
} as const satisfies Record<string, Release>;

export type ReleaseName = keyof typeof RELEASES;
export const RELEASE_NAMES = Object.keys(RELEASES);
export const isReleaseName = (text: string): text is ReleaseName => Object.hasOwn(RELEASES, text);
