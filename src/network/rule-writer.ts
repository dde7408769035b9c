import type { Logger } from '../core/logger.ts';
import type { RuleBook } from './rule-book.ts';

export interface RuleWriter {
  /** Changes the book at once and the kernel soon; settles when the kernel has it. */
  change(edit: (book: RuleBook) => string): Promise<void>;
  /** Replaces both tables by what the book holds after `edit`. */
  replace(edit: (book: RuleBook) => void): Promise<void>;
  /** Empties the book and removes both tables. */
  remove(): Promise<void>;
}

/** What carries nft(8) commands out. */
export interface RuleKernel {
  /** A few entries. */
  change(commands: string): Promise<void>;
  /** Whole tables. */
  replace(commands: string): Promise<void>;
}

/**
 * Writes one transaction at a time; changes that come while one is under way go out together in the next. When a
 * transaction fails, as after another program flushed the host's rules, both tables are written anew from the book.
 */
export function createRuleWriter(book: RuleBook, kernel: RuleKernel, logger: Logger): RuleWriter {
  let queued = '';
  let whole = false;
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  const write = async (): Promise<void> => {
    const [commands, rebuild] = [queued, whole];
    queued = '';
    whole = false;
    next = undefined;
    if (commands === '' && !rebuild) return;
    try {
      await (rebuild ? applyAll() : kernel.change(commands));
    } catch (failure) {
      logger.warn('nft refused a change, writing all rules anew', { failure: String(failure) });
      await applyAll();
    }
  };
  const applyAll = async (): Promise<void> => {
    queued = '';
    whole = true;
    await kernel.replace(book.render());
    whole = false;
  };
  const schedule = (): Promise<void> => {
    if (next === undefined) {
      next = running.then(write, write);
      running = next;
    }
    return next;
  };
  return {
    change: async (edit) => {
      const commands = edit(book);
      queued += commands;
      await (commands === '' && !whole ? (next ?? running) : schedule());
    },
    replace: async (edit) => {
      edit(book);
      whole = true;
      await schedule();
    },
    remove: async () => {
      book.load({ networks: [], attachments: [] });
      whole = true;
      await schedule();
      await kernel.replace(book.renderRemoval());
    },
  };
}
