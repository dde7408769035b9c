import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { MullionError } from '../contract/errors.ts';
import { spawnCommand } from './run.ts';
import { SET_LIMITS, type UserLimits, wordsOf } from './user-limits.ts';

const DEADLINE_MS = 10_000;

/** So many that nobody has taken yet are kept, the latest made. */
const SPARE = 2;

/** User namespaces, kept by descriptor: while one is only kept, no process lives in it. */
export class UserNamespaces {
  readonly #made = new Map<string, Promise<number>>();
  readonly #spare = new Map<string, Promise<number>>();
  #closed = false;

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
    const made = makeUserNamespace(renderIdMap(base, count), {});
    this.#made.set(key, made);
    made.catch(() => this.#made.delete(key));
    return made;
  }

  /**
   * One for the processes of one guest, for one life of it: it has these ids, no other, and these limits. The caller closes
   * it. @throws MullionError `host_unfit`
   */
  take(base: number, count: number, limits: UserLimits): Promise<number> {
    this.#requireOpen();
    const key = guestKey(base, count, limits);
    const spare = this.#spare.get(key);
    if (spare === undefined) return makeUserNamespace(renderGuestIdMap(base, count), limits);
    this.#spare.delete(key);
    return spare;
  }

  /** Makes both kinds ahead of time, so that `acquire` and the next `take` answer at once. */
  async warm(base: number, count: number, limits: UserLimits): Promise<void> {
    await Promise.all([this.acquire(base, count), this.#keepSpare(base, count, limits)]);
  }

  #keepSpare(base: number, count: number, limits: UserLimits): Promise<number> {
    const key = guestKey(base, count, limits);
    const spare = this.#spare.get(key) ?? makeUserNamespace(renderGuestIdMap(base, count), limits);
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
    for (const made of [...this.#made.values(), ...this.#spare.values()]) closeLater(made);
    this.#made.clear();
    this.#spare.clear();
  }

  #requireOpen(): void {
    if (this.#closed) throw new MullionError('internal', 'The user namespaces are closed.');
  }
}

const closeLater = (made: Promise<number>): void => {
  made.then(closeSync, () => undefined);
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
const SCRIPT = `${SET_LIMITS}
echo
read -r end`;

/** The namespace of a child that ends again. */
async function makeUserNamespace(map: string, limits: UserLimits): Promise<number> {
  const child = spawnCommand([...INSIDE, 'sh', '-c', SCRIPT, 'sh', ...wordsOf(limits)], {
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
  try {
    const inside = await new Promise<boolean>((resolve) => {
      child.stdout?.once('data', () => resolve(true));
      child.once('error', () => resolve(false));
      child.once('close', () => resolve(false));
    });
    if (!inside || child.pid === undefined) {
      throw new MullionError(
        'host_unfit',
        `No user namespace could be made: ${complaint.trim() || 'no answer'}`,
        {
          remedy:
            'Allow user namespaces: sysctl user.max_user_namespaces must not be 0; unshare must be installed',
        },
      );
    }
    writeFileSync(`/proc/${child.pid}/uid_map`, map);
    writeFileSync(`/proc/${child.pid}/gid_map`, map);
    return openSync(`/proc/${child.pid}/ns/user`, 'r');
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
    if (child.pid !== undefined) await ended;
  }
}
