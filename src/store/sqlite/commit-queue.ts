import type { DatabaseSync } from 'node:sqlite';
import type { Survival } from '../store.ts';

/** PRAGMA synchronous: whether a commit waits until the log is on the disk. */
const SYNCHRONOUS = { machine: 'FULL', process: 'NORMAL' } as const satisfies Record<Survival, string>;

interface Waiting {
  readonly survival: Survival;
  readonly work: () => void;
  readonly done: () => void;
  readonly failed: (failure: unknown) => void;
}

/**
 * Group commit: work that comes in one turn of the event loop shares one SQLite transaction, and so one fsync. Work
 * that throws leaves nothing; the rest of its batch is committed.
 */
export class CommitQueue {
  readonly #database: DatabaseSync;
  #waiting: Waiting[] = [];
  #survival: Survival = 'machine';
  #scheduled = false;

  constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec(`PRAGMA synchronous = ${SYNCHRONOUS[this.#survival]}`);
  }

  /** Settles once the work would survive. */
  run<T>(work: () => T, survival: Survival = 'machine'): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let answer: T;
      this.#waiting.push({
        survival,
        work: () => {
          answer = work();
        },
        done: () => resolve(answer),
        failed: reject,
      });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => this.flush());
    });
  }

  /** Commits what waits, now. */
  flush(): void {
    this.#scheduled = false;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    const finish: (() => void)[] = [];
    try {
      this.#become(batch.some(({ survival }) => survival === 'machine') ? 'machine' : 'process');
      this.#database.exec('BEGIN IMMEDIATE');
      for (const { work, done, failed } of batch) {
        this.#database.exec('SAVEPOINT work');
        try {
          work();
          finish.push(done);
        } catch (failure) {
          this.#database.exec('ROLLBACK TO work');
          finish.push(() => failed(failure));
        }
        this.#database.exec('RELEASE work');
      }
      this.#database.exec('COMMIT');
    } catch (failure) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      for (const { failed } of batch) failed(failure);
      return;
    }
    for (const settle of finish) settle();
  }

  #become(survival: Survival): void {
    if (survival === this.#survival) return;
    this.#database.exec(`PRAGMA synchronous = ${SYNCHRONOUS[survival]}`);
    this.#survival = survival;
  }
}
