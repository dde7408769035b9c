import { unmountElsewhere } from '../../host/mounts.ts';
import type { ContainerPaths } from './paths.ts';
import type { Stage } from './view/stage.ts';

/** The kernel keeps a guest that begins waiting while mounts go. */
const AFTER_MS = 50;

interface Clearing {
  readonly timer?: NodeJS.Timeout;
  readonly work?: Promise<void>;
}

type Places = Pick<ContainerPaths, 'root' | 'stage'>;

/**
 * What the host holds of a container while it is made, by the machine's id: the mount of its root, and the stage of its view.
 * Once it has begun it has all of that in its own namespaces. What an earlier daemon left is cleared by the same calls.
 */
export class Scaffolds {
  readonly #stages = new Map<string, Stage>();
  readonly #clearings = new Map<string, Clearing>();

  /** To be cleared with the rest. */
  keep(id: string, stage: Stage): void {
    this.#stages.set(id, stage);
  }

  /** Clears in a moment, unless `clear` comes first. What fails then is left to a later `clear`. */
  clearSoon(id: string, places: Places): void {
    const clear = (): void => {
      this.clear(id, places).catch(() => undefined);
    };
    this.#clearings.set(id, { timer: setTimeout(clear, AFTER_MS).unref() });
  }

  /** Afterwards nothing is mounted at these places; on other threads. @throws SystemError */
  clear(id: string, { root, stage }: Places): Promise<void> {
    const { timer, work: former } = this.#clearings.get(id) ?? {};
    clearTimeout(timer);
    const kept = this.#stages.get(id);
    this.#stages.delete(id);
    const work = Promise.allSettled([former]).then(async () => {
      await kept?.mounts.closeElsewhere();
      for (const place of [stage, root]) await unmountElsewhere(place);
    });
    this.#clearings.set(id, { work });
    const forget = (): void => {
      if (this.#clearings.get(id)?.work === work) this.#clearings.delete(id);
    };
    work.then(forget, forget);
    return work;
  }
}
