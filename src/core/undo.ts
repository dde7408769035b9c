/**
 * The reverse of each host change made so far. Leaving the scope undoes them, last first, unless `commit` came before:
 * `await using undo = new UndoStack(); ...; undo.push('link', () => removeLink()); ...; undo.commit()`.
 */
export class UndoStack implements AsyncDisposable {
  readonly #entries: { readonly what: string; readonly undo: () => Promise<void> | void }[] = [];
  readonly #onFailure: (what: string, failure: unknown) => void;

  /** `onFailure` hears of an undo that failed; the others still run. */
  constructor(onFailure: (what: string, failure: unknown) => void = () => undefined) {
    this.#onFailure = onFailure;
  }

  push(what: string, undo: () => Promise<void> | void): void {
    this.#entries.push({ what, undo });
  }

  /** Keeps the changes. */
  commit(): void {
    this.#entries.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let entry = this.#entries.pop(); entry !== undefined; entry = this.#entries.pop()) {
      try {
        await entry.undo();
      } catch (failure) {
        this.#onFailure(entry.what, failure);
      }
    }
  }
}
