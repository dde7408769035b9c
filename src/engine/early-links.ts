import { MullionError } from '../contract/errors.ts';

/** One preparation of a machine. */
interface Attempt {
  connected: boolean;
}

/**
 * Links of machines that are still being prepared: each is connected once its rules are there. In memory alone, as
 * connecting one twice changes nothing.
 */
export class EarlyLinks {
  readonly #admissions = new Map<string, Promise<void>>();
  readonly #attempts = new Map<string, Attempt>();

  /** `admission` settles once the rules of this VPS are there. */
  admit(id: string, admission: Promise<void>): Promise<void> {
    this.#admissions.set(id, admission);
    return admission;
  }

  /**
   * For one preparation of a machine, what connects it: after the last admission, if any, not when that has failed, and not
   * once the machine was forgotten. It throws what these or `connect` throw.
   */
  begin<L>(id: string, connect: (link: L) => Promise<void>): (link: L) => Promise<void> {
    const admission = this.#admissions.get(id);
    const attempt: Attempt = { connected: false };
    this.#attempts.set(id, attempt);
    return async (link) => {
      await admission;
      if (this.#attempts.get(id) !== attempt) {
        throw new MullionError('cancelled', 'The machine is not wanted any more.');
      }
      await connect(link);
      attempt.connected = true;
    };
  }

  /** True when the link of the machine that was just prepared is connected; asked once. */
  takeConnected(id: string): boolean {
    const attempt = this.#attempts.get(id);
    this.#attempts.delete(id);
    return attempt?.connected === true;
  }

  /** The machine is gone, and its link with it. */
  forget(id: string): void {
    this.#admissions.delete(id);
    this.#attempts.delete(id);
  }
}
