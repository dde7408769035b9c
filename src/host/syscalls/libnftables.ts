import { createRequire } from 'node:module';

type Koffi = typeof import('koffi');

/** Rules of the network namespace in which it was loaded. */
export interface NftLibrary {
  /** Carries commands out as one transaction, on another thread; what is wrong with them, or undefined. */
  run(commands: string): Promise<string | undefined>;
}

const SONAME = 'libnftables.so.1';
const NFT_CTX_DEFAULT = 0;

/**
 * libnftables(3) with one context, which takes one transaction after another. Its socket belongs to the network namespace
 * of the calling thread. Undefined where the library is not installed.
 */
export function loadNftLibrary(soname = SONAME): NftLibrary | undefined {
  const koffi: Koffi = createRequire(import.meta.url)('koffi');
  let library: ReturnType<Koffi['load']>;
  try {
    library = koffi.load(soname);
  } catch {
    return undefined;
  }
  const makeContext = library.func('void *nft_ctx_new(uint32_t flags)');
  const keepErrors = library.func('int nft_ctx_buffer_error(void *context)');
  const keepOutput = library.func('int nft_ctx_buffer_output(void *context)');
  const errorsOf = library.func('const char *nft_ctx_get_error_buffer(void *context)');
  const outputOf = library.func('const char *nft_ctx_get_output_buffer(void *context)');
  const runCommands = library.func('int nft_run_cmd_from_buffer(void *context, const char *commands)');
  const context: unknown = makeContext(NFT_CTX_DEFAULT);
  if (context === null || keepErrors(context) !== 0 || keepOutput(context) !== 0) return undefined;
  const runOnce = (commands: string): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      runCommands.async(context, commands, (failure: unknown, result: number) => {
        // Reading a buffer empties it.
        const errors = String(errorsOf(context) ?? '').trim();
        outputOf(context);
        if (failure !== null) reject(failure);
        else resolve(result === 0 ? undefined : errors || 'no reason was given');
      });
    });
  let last: Promise<unknown> = Promise.resolve();
  return {
    run: (commands) => {
      const next = last.then(() => runOnce(commands));
      last = next.catch(() => undefined);
      return next;
    },
  };
}
