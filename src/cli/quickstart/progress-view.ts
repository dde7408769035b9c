import type { Progress } from '../../contract/tasks.ts';
import type { Context } from '../context.ts';
import { LiveArea } from '../output/live-area.ts';
import { renderProgress } from '../output/progress.ts';

const REDRAW_MS = 100;

/** The tree, redrawn in place on a terminal; elsewhere a line for each step that ended. */
export class ProgressView {
  readonly #context: Context;
  readonly #area: LiveArea;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #told = new Set<string>();
  #progress: Progress | undefined;
  #frame = 0;
  #ended = false;

  constructor(context: Context) {
    this.#context = context;
    this.#area = new LiveArea(context.terminal.errorStream);
    if (this.#silent) return;
    if (context.terminal.canRedraw) this.#timer = setInterval(() => this.#draw(), REDRAW_MS).unref();
  }

  get #silent(): boolean {
    return this.#context.quiet || this.#context.json;
  }

  update(progress: Progress): void {
    this.#progress = progress;
    if (this.#silent || this.#timer !== undefined) return;
    for (const step of progress.children) {
      const line = `${step.name}: ${step.state === 'running' ? 'begun' : (step.message ?? step.state)}`;
      const key = `${step.name} ${step.state}`;
      if (step.state === 'waiting' || this.#told.has(key)) continue;
      this.#told.add(key);
      this.#context.terminal.note(line);
    }
  }

  end(): void {
    if (this.#timer === undefined || this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    this.#draw();
    this.#area.keep();
  }

  #draw(): void {
    if (this.#progress === undefined) return;
    const { columns, rows } = this.#context.terminal.errorSize();
    const { unicode, errorStyle: style } = this.#context.terminal;
    this.#frame += 1;
    const children = this.#progress.children.map((step) =>
      step.state === 'done' ? { ...step, name: `${step.name}: ${step.message ?? 'done'}` } : step,
    );
    this.#area.draw(
      renderProgress({ ...this.#progress, children }, { width: columns, unicode, frame: this.#frame, style }),
      rows,
    );
  }
}
