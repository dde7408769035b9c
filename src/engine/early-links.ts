/**
 * Links of machines that are still being prepared: each is connected once its rules are there. In memory alone, as
 * connecting one twice changes nothing.
 */
export class EarlyLinks {
  readonly #admissions = new Map<string, Promise<void>>();
  readonly #connected = new Set<string>();

  /** `admission` settles once the rules of this VPS are there. */
  async admit(id: string, admission: Promise<void>): Promise<void> {
    this.#admissions.set(id, admission);
    try {
      await admission;
    } finally {
      this.#admissions.delete(id);
    }
  }

  /** Connects after the admission that is under way, if any. @throws what that or `connect` throws */
  async connect(id: string, connect: () => Promise<void>): Promise<void> {
    await this.#admissions.get(id);
    await connect();
    this.#connected.add(id);
  }

  /** True when the link of the machine that was just prepared is connected; asked once. */
  isConnected(id: string): boolean {
    return this.#connected.delete(id);
  }

  /** The machine is gone, and its link with it. */
  forget(id: string): void {
    this.#connected.delete(id);
  }
}
