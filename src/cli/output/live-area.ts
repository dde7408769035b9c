/** The part of a terminal that a live area needs. */
export interface LiveStream {
  write(text: string): unknown;
}

/**
 * Lines at the bottom of a terminal that are redrawn in place. Each must fit the terminal's width: a wrapped line
 * would leave its tail behind.
 */
export class LiveArea {
  readonly #stream: LiveStream;
  #height = 0;

  constructor(stream: LiveStream) {
    this.#stream = stream;
  }

  /** Draws over what was drawn before, at most `rows` lines. */
  draw(lines: readonly string[], rows: number): void {
    const shown = lines.slice(0, Math.max(1, rows - 1));
    // Synchronized output (DEC private mode 2026) where the terminal has it; others ignore it.
    this.#stream.write(
      `\x1b[?2026h${this.#up()}${shown.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J\x1b[?2026l`,
    );
    this.#height = shown.length;
  }

  /** Removes what was drawn, so that other output can follow. */
  clear(): void {
    if (this.#height === 0) return;
    this.#stream.write(`${this.#up()}\x1b[J`);
    this.#height = 0;
  }

  /** Leaves what was drawn where it stands. */
  keep(): void {
    this.#height = 0;
  }

  #up(): string {
    return this.#height === 0 ? '' : `\x1b[${this.#height}A\r`;
  }
}
