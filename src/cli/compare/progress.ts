import type { Progress } from '../../contract/tasks.ts';
import type { Context } from '../context.ts';
import { LiveArea } from '../output/live-area.ts';
import { renderProgress } from '../output/progress.ts';

/** Steps after which the time that is left can be guessed. */
const KNOWN = 4;

/** The tree of progress of a comparison: techniques, each with the step that it is at. */
export class CompareProgress implements Disposable {
  readonly #root: Progress;
  readonly #area: LiveArea;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #began = performance.now();
  #done = 0;
  #frame = 0;

  constructor(context: Context, techniques: readonly string[], steps: number) {
    const children = techniques.map((name): Progress => ({ name, state: 'waiting', children: [] }));
    this.#root = { name: 'compare', state: 'running', done: 0, total: steps, unit: 'items', children };
    this.#area = new LiveArea(context.terminal.errorStream);
    if (!context.terminal.canRedraw || context.quiet) return;
    this.#timer = setInterval(() => {
      const { columns, rows } = context.terminal.errorSize();
      const { unicode, errorStyle: style } = context.terminal;
      this.#area.draw(
        renderProgress(this.#root, { width: columns, unicode, style, frame: this.#frame++ }),
        rows,
      );
    }, 100);
  }

  /** Something beside the techniques, such as an image that is built. */
  at(message: string): void {
    this.#root.message = message;
  }

  step(technique: string, what: string): void {
    const part = this.#root.children.find(({ name }) => name === technique);
    if (part === undefined) return;
    if (part.state === 'running') this.#advance();
    Object.assign(part, { state: 'running', message: what });
  }

  finish(technique: string, state: 'done' | 'failed', message: string): void {
    const part = this.#root.children.find(({ name }) => name === technique);
    if (part !== undefined) Object.assign(part, { state, message });
    this.#advance();
  }

  #advance(): void {
    const root = this.#root;
    this.#done += 1;
    root.done = this.#done;
    if (this.#done < KNOWN || root.total === undefined) return;
    const each = (performance.now() - this.#began) / 1000 / this.#done;
    root.secondsLeft = Math.max(0, each * (root.total - this.#done));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#area.clear();
  }
}
