import { type FSWatcher, lstatSync, watch } from 'node:fs';
import { join } from 'node:path';
import { UMID } from './paths.ts';

/** How long a change goes unseen at most, once another was seen. */
const PAUSE_MS = 250;

/**
 * Tells when a kernel removes the folder of its name, as it ends, and makes it again, as it starts anew in its process. The
 * guest can write beside it: after each change nothing is heard for a pause, as Node hears out all changes of a folder
 * before it does anything else (libuv, uv__inotify_read), and would never come to an end of those of a flood.
 */
export class RestartWatch {
  readonly #folder: string;
  readonly #listener: () => void;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #inode: number | undefined;
  #closed = false;

  constructor(folder: string, listener: () => void) {
    this.#folder = folder;
    this.#listener = listener;
    this.#inode = this.#look();
    this.#listen();
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    clearTimeout(this.#timer);
  }

  #listen(): void {
    try {
      this.#watcher = watch(this.#folder, { persistent: false }, () => this.#changed());
      this.#watcher.on('error', () => undefined);
    } catch {
      // Without it, what waits for the guest that was ends with its own time.
      return;
    }
    this.#compare();
  }

  #changed(): void {
    if (this.#closed) return;
    this.#watcher?.close();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#listen(), PAUSE_MS).unref();
    this.#compare();
  }

  #compare(): void {
    const inode = this.#look();
    if (inode === this.#inode) return;
    this.#inode = inode;
    this.#listener();
  }

  #look(): number | undefined {
    return lstatSync(join(this.#folder, UMID), { throwIfNoEntry: false })?.ino;
  }
}
