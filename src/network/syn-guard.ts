import type { Logger } from '../core/logger.ts';
import type { Runner } from '../host/run.ts';
import { whyNoSynProxy } from './syn-proxy.ts';

/** Asked about every so often: a firewall may be switched on while the daemon runs. */
export const REVIEW_MS = 60_000;

/** Keeps up with whether the host may answer for flooded VPSs. */
export class SynGuard {
  readonly #run: Runner;
  readonly #logger: Logger;
  #reason: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(run: Runner, logger: Logger) {
    this.#run = run;
    this.#logger = logger;
  }

  async mayAnswer(): Promise<boolean> {
    const reason = await whyNoSynProxy(this.#run).catch((failure: unknown) => String(failure));
    if (reason !== undefined && reason !== this.#reason)
      this.#logger.info('VPSs whose forwards are flooded are not answered for', { reason });
    this.#reason = reason;
    return reason === undefined;
  }

  watch(everyMs: number, tell: (mayAnswer: boolean) => Promise<void>): void {
    this.#timer ??= setInterval(() => {
      this.mayAnswer()
        .then(tell)
        .catch((failure: unknown) => this.#logger.warn('the rules cannot be written anew', { failure }));
    }, everyMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
