import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { MullionError } from '../contract/errors.ts';
import { spawnCommand } from './run.ts';

const DEADLINE_MS = 10_000;

/**
 * User namespaces for idmapped mounts, kept by descriptor: no process lives in them. Ids 0 to count-1 are base and up;
 * id `count` is the host's 0, without which overlayfs may not write through such a mount when root mounts it.
 */
export class UserNamespaces {
  readonly #made = new Map<string, Promise<number>>();
  #closed = false;

  /** A descriptor that stays owned by this object; its holder must not close it. @throws MullionError `host_unfit` */
  acquire(base: number, count: number): Promise<number> {
    if (this.#closed) throw new MullionError('internal', 'The user namespaces are closed.');
    const key = `${base}:${count}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = makeUserNamespace(renderIdMap(base, count));
    this.#made.set(key, made);
    made.catch(() => this.#made.delete(key));
    return made;
  }

  /** Makes it ahead of time, so that a later `acquire` answers at once. */
  async warm(base: number, count: number): Promise<void> {
    await this.acquire(base, count);
  }

  close(): void {
    this.#closed = true;
    for (const made of this.#made.values()) {
      made.then(closeSync, () => undefined);
    }
    this.#made.clear();
  }
}

/** user_namespaces(7), "User and group ID mappings". */
export const renderIdMap = (base: number, count: number): string => `0 ${base} ${count}\n${count} 0 1\n`;

/** The namespace of a child that ends again: it echoes a byte once it is inside. */
async function makeUserNamespace(map: string): Promise<number> {
  const child = spawnCommand(['unshare', '--user', 'cat'], { stdio: ['pipe', 'pipe', 'pipe'] });
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
      child.stdin?.write('.');
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
