import { createHash } from 'node:crypto';
import { MullionError } from '../contract/errors.ts';
import type { ImageSetup } from '../contract/image-recipe.ts';
import type { BuildImageRequest } from '../contract/resources.ts';

export type Suite = NonNullable<BuildImageRequest['suite']>;

/** What an image is made of, before the archive says which versions that means. */
export interface Recipe {
  readonly suite: Suite;
  readonly architecture: string;
  readonly packages: readonly string[];
  readonly kernelPackage: string;
  /** Absent where nothing is to be done. */
  readonly setup?: ImageSetup;
}

const SUITE_OF_NAME: Readonly<Record<string, Suite>> = { 'debian/12': 'bookworm', 'debian/13': 'trixie' };

/** What every VPS has besides Debian's essential packages and apt, each with its reason. */
const PACKAGES: Readonly<Record<string, string>> = {
  adduser: 'packages make their users with it',
  'ca-certificates': 'TLS to the outside',
  curl: 'fetches over HTTP',
  dbus: 'systemctl, hostnamectl and logind talk over it',
  e2fsprogs: 'checks and resizes the own disk of a virtual machine',
  iproute2: 'ip and ss',
  'iputils-ping': 'ping',
  kmod: "loads modules of a virtual machine's kernel",
  less: 'the pager',
  login: 'login at the console',
  nano: 'an editor',
  netbase: 'names of protocols and services',
  'openssh-server': 'remote login',
  procps: 'ps, top, free, sysctl',
  'qemu-guest-agent': 'the way into a virtual machine for exec, files and shutdown',
  systemd: 'PID 1, networkd, journald',
  'systemd-sysv': '/sbin/init',
  tzdata: 'time zones',
  udev: 'devices of a virtual machine',
};

/**
 * Where /usr is not merged by the packages alone: this one says that it is, as bootstrap sees to. Its alternative,
 * usrmerge, would do so afterwards by some hundred calls of cp(1), and bring all of Perl along: a fifth of the image.
 */
export const MERGED_USR_PACKAGE = 'usr-is-merged';
const PACKAGES_OF_SUITE: Readonly<Record<Suite, readonly string[]>> = {
  bookworm: [MERGED_USR_PACKAGE],
  trixie: [],
};

/** Gives /bin/busybox, the one program of the initial file system. */
export const BUSYBOX_PACKAGE = 'busybox-static';

/** The release that a name tells, also with a part of its own such as debian/12/web. */
const suiteOf = (name: string) =>
  Object.entries(SUITE_OF_NAME).find(([known]) => name === known || name.startsWith(`${known}/`))?.[1];

/** @throws MullionError `invalid_request` when neither the name nor the request tells the suite. */
export function recipeOf(request: BuildImageRequest, architecture: string): Recipe {
  const suite = request.suite ?? suiteOf(request.name);
  if (suite === undefined) {
    throw new MullionError(
      'invalid_request',
      `The image name ${request.name} does not tell a Debian release.`,
      {
        remedy: `Name it: mullion image build ${request.name} --suite bookworm`,
      },
    );
  }
  const packages = [
    ...new Set([...Object.keys(PACKAGES), ...PACKAGES_OF_SUITE[suite], ...request.include]),
  ].sort();
  const { setup } = request;
  const idle = setup === undefined || Object.values(setup).every((list) => list.length === 0);
  return {
    suite,
    architecture,
    packages,
    kernelPackage: `linux-image-cloud-${architecture}`,
    ...(idle ? {} : { setup }),
  };
}

/** A digest of anything that has one JSON form, as 64 hexadecimal digits. */
export const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex');
