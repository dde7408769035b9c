import { existsSync, type FSWatcher, lstatSync, watch } from 'node:fs';
import { dirname } from 'node:path';

/** How long a change goes unseen at most, once another was seen. */
const PAUSE_MS = 250;
/** The same where the host lets nobody watch any more. */
const UNWATCHED_MS = 2_000;

/**
 * Tells when what is at a path comes, goes or is another. The guest can write beside it: after each change nothing is heard
 * for a pause, as Node hears out all changes of a folder before it does anything else (libuv, uv__inotify_read), and would
 * never come to an end of those of a flood.
 */
export class EntryWatch {
  readonly #path: string;
  readonly #listener: () => void;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #inode: number | undefined;
  #closed = false;

  constructor(path: string, listener: () => void) {
    this.#path = path;
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
      this.#watcher = watch(dirname(this.#path), { persistent: false }, () => this.#changed());
      this.#watcher.on('error', () => undefined);
    } catch {
      if (!existsSync(dirname(this.#path))) return;
      this.#timer = setTimeout(() => this.#listen(), UNWATCHED_MS).unref();
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
    return lstatSync(this.#path, { throwIfNoEntry: false })?.ino;
  }
}
