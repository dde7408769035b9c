import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { MullionError } from '../contract/errors.ts';
import { descriptorPath } from './descriptors.ts';
import { changeLinks } from './links.ts';
import { spawnCommand } from './run.ts';
import { SET_LIMITS, type UserLimits, wordsOf } from './user-limits.ts';

const DEADLINE_MS = 10_000;

/** So many that nobody has taken yet are kept, the latest made. */
const SPARE = 2;

/** What the processes of a guest begin in, by descriptors. */
export interface GuestNamespaces {
  readonly user: number;
  /** A network namespace of that user namespace, with nothing in it but its loopback. */
  readonly network: number;
}

export function closeNamespaces({ user, network }: GuestNamespaces): void {
  for (const fd of [user, network]) closeSync(fd);
}

/** By which other programs find them, as long as they are open here. */
export const namespacePaths = ({ user, network }: GuestNamespaces) => ({
  user: descriptorPath(user),
  network: descriptorPath(network),
});

/** User namespaces, kept by descriptor: while one is only kept, no process lives in it. */
export class UserNamespaces {
  readonly #made = new Map<string, Promise<number>>();
  readonly #spare = new Map<string, Promise<GuestNamespaces>>();
  readonly #ahead: boolean;
  #closed = false;

  /** `ahead`: whether `warm` makes anything. */
  constructor({ ahead = true }: { readonly ahead?: boolean } = {}) {
    this.#ahead = ahead;
  }

  /**
   * One for idmapped mounts. Ids 0 to count-1 are base and up; id `count` is the host's 0, without which overlayfs may not
   * write through such a mount when root mounts it. The descriptor stays owned by this object; its holder must not
   * close it. @throws MullionError `host_unfit`
   */
  acquire(base: number, count: number): Promise<number> {
    this.#requireOpen();
    const key = `${base}:${count}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = makeForFiles(renderIdMap(base, count));
    this.#made.set(key, made);
    made.catch(() => this.#made.delete(key));
    return made;
  }

  /**
   * Those for the processes of one guest, for one life of it: they have these ids, no other, and these limits. The caller
   * closes them. @throws MullionError `host_unfit`
   */
  take(base: number, count: number, limits: UserLimits): Promise<GuestNamespaces> {
    this.#requireOpen();
    const key = guestKey(base, count, limits);
    const spare = this.#spare.get(key);
    if (spare === undefined) return makeForGuest(renderGuestIdMap(base, count), limits);
    this.#spare.delete(key);
    return spare;
  }

  /** Makes both kinds ahead of time, so that `acquire` and the next `take` answer at once. */
  async warm(base: number, count: number, limits: UserLimits): Promise<void> {
    if (!this.#ahead) return;
    await Promise.all([this.acquire(base, count), this.#keepSpare(base, count, limits)]);
  }

  #keepSpare(base: number, count: number, limits: UserLimits): Promise<GuestNamespaces> {
    const key = guestKey(base, count, limits);
    const spare = this.#spare.get(key) ?? makeForGuest(renderGuestIdMap(base, count), limits);
    this.#spare.delete(key);
    this.#spare.set(key, spare);
    spare.catch(() => {
      if (this.#spare.get(key) === spare) this.#spare.delete(key);
    });
    for (const [oldest, made] of this.#spare) {
      if (this.#spare.size <= SPARE) break;
      this.#spare.delete(oldest);
      closeLater(made);
    }
    return spare;
  }

  close(): void {
    this.#closed = true;
    for (const made of this.#made.values()) made.then(closeSync, () => undefined);
    for (const made of this.#spare.values()) closeLater(made);
    this.#made.clear();
    this.#spare.clear();
  }

  #requireOpen(): void {
    if (this.#closed) throw new MullionError('internal', 'The user namespaces are closed.');
  }
}

const closeLater = (made: Promise<GuestNamespaces>): void => {
  made.then(closeNamespaces, () => undefined);
};

/** user_namespaces(7), "User and group ID mappings". */
export const renderGuestIdMap = (base: number, count: number): string => `0 ${base} ${count}\n`;
export const renderIdMap = (base: number, count: number): string =>
  `${renderGuestIdMap(base, count)}${count} 0 1\n`;

const guestKey = (base: number, count: number, limits: UserLimits): string =>
  [base, count, ...wordsOf(limits)].join(' ');

/** Root of no ids yet, whose program would not keep its capabilities otherwise (capabilities(7), "execve"). */
const INSIDE = ['unshare', '--user', '--keep-caps'];
/** It says a line once it is inside and its limits are set, and waits. */
const HERE = `${SET_LIMITS}
echo
read -r next`;
/** Then it says another once it is in a network namespace, whose files below /proc and /sys have owners from its beginning. */
const AND_NETWORK = `${HERE}
exec unshare --net sh -c 'echo; read -r end'`;

const makeForFiles = (map: string): Promise<number> =>
  withMaker([HERE, 'sh'], async ({ pid, hears }) => {
    await hears();
    writeMaps(pid, map);
    return openSync(`/proc/${pid}/ns/user`, 'r');
  });

const makeForGuest = (map: string, limits: UserLimits): Promise<GuestNamespaces> =>
  withMaker([AND_NETWORK, 'sh', ...wordsOf(limits)], async ({ pid, hears, goOn }) => {
    await hears();
    writeMaps(pid, map);
    goOn();
    await hears();
    await changeLinks([{ type: 'raise', link: 'lo' }], { place: { pid } });
    const user = openSync(`/proc/${pid}/ns/user`, 'r');
    try {
      return { user, network: openSync(`/proc/${pid}/ns/net`, 'r') };
    } catch (failure) {
      closeSync(user);
      throw failure;
    }
  });

function writeMaps(pid: number, map: string): void {
  writeFileSync(`/proc/${pid}/uid_map`, map);
  writeFileSync(`/proc/${pid}/gid_map`, map);
}

interface Maker {
  readonly pid: number;
  /** Waits for its next line. @throws MullionError `host_unfit` when it ends instead */
  hears(): Promise<void>;
  goOn(): void;
}

/** What is kept of a child that is in namespaces of its own, and ends. */
async function withMaker<T>(script: readonly string[], keep: (maker: Maker) => Promise<T>): Promise<T> {
  const child = spawnCommand([...INSIDE, 'sh', '-c', ...script], {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: '/',
  });
  const ended = once(child, 'close');
  ended.catch(() => undefined);
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  child.stdin?.on('error', () => undefined);
  const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
  const refused = (): MullionError =>
    new MullionError('host_unfit', `No namespaces could be made: ${complaint.trim() || 'no answer'}`, {
      remedy:
        'Allow them: sysctl user.max_user_namespaces and user.max_net_namespaces must not be 0; unshare must be installed',
    });
  const hears = (): Promise<void> =>
    new Promise((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('error', () => reject(refused()));
      child.once('close', () => reject(refused()));
    });
  try {
    return await keep({ pid: child.pid ?? -1, hears, goOn: () => child.stdin?.write('\n') });
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
    if (child.pid !== undefined) await ended;
  }
}
