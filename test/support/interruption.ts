/**
 * Lets everything below an engine stop answering at the nth call, as if the daemon were killed there. `before` kills
 * ahead of the call's effect, `after` between the effect and its answer.
 */
export class Interruption {
  readonly #at: number;
  readonly #when: 'before' | 'after';
  readonly #reached = Promise.withResolvers<void>();
  readonly calls: string[] = [];
  #armed = false;

  constructor(at: number, when: 'before' | 'after') {
    this.#at = at;
    this.#when = when;
  }

  /** Calls count from now on. */
  arm(): void {
    this.#armed = true;
  }

  /** Settles when the nth call was made. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  get isDead(): boolean {
    return this.calls.length >= this.#at;
  }

  /** The same thing, that dies with this interruption; methods named in `counted` are where it may. */
  wrap<T extends object>(name: string, target: T, counted: readonly (keyof T & string)[]): T {
    const names: readonly string[] = counted;
    return new Proxy(target, {
      get: (object, property) => {
        const value: unknown = Reflect.get(object, property);
        if (typeof value !== 'function') return value;
        const call = (...parameters: unknown[]): unknown => Reflect.apply(value, object, parameters);
        if (typeof property !== 'string' || !names.includes(property)) return call;
        return (...parameters: unknown[]) => this.#call(`${name}.${property}`, () => call(...parameters));
      },
    });
  }

  async #call(what: string, effect: () => unknown): Promise<unknown> {
    if (!this.#armed) return effect();
    if (this.isDead) return this.#never();
    this.calls.push(what);
    if (!this.isDead) return effect();
    try {
      if (this.#when === 'after') await effect();
    } catch {
      // A dead daemon does not hear of the failure either.
    }
    this.#reached.resolve();
    return this.#never();
  }

  #never(): Promise<never> {
    return new Promise(() => undefined);
  }
}
