import { MullionError } from '../contract/errors.ts';
import type { Runner } from './run.ts';
import { loadNftLibrary, type NftLibrary } from './syscalls/libnftables.ts';

/** Runs nft(8) commands as one transaction, in the network namespace of this process. */
export async function runNft(run: Runner, commands: string): Promise<void> {
  await run(['nft', '-f', '-'], { stdin: commands });
}

/** Whether this kernel would take these commands; nothing is changed. */
export async function acceptsNft(run: Runner, commands: string): Promise<boolean> {
  const { code } = await run(['nft', '--check', '-f', '-'], { stdin: commands, okCodes: [0, 1] });
  return code === 0;
}

/** Few entries of tables that stand. */
export interface NftChanges {
  /** So that the first change does not wait for it. */
  prepare(): void;
  /** One transaction. @throws MullionError `command_failed` */
  run(commands: string): Promise<void>;
}

let own: { readonly library: NftLibrary | undefined } | undefined;
/** One for this process: a context holds what it has read of the rules. */
const ownLibrary = (): NftLibrary | undefined => {
  own ??= { library: loadNftLibrary() };
  return own.library;
};

/**
 * Within this process, in a fraction of the time that it takes to start a program, where libnftables is installed. Whole
 * tables are for the program: it parses the host's other tables first, and may fail without taking the daemon with it.
 */
export const createNftChanges = (run: Runner, library = ownLibrary): NftChanges => ({
  prepare: () => void library(),
  run: async (commands) => {
    const nft = library();
    if (nft === undefined) return runNft(run, commands);
    const refusal = await nft.run(commands);
    if (refusal === undefined) return;
    throw new MullionError('command_failed', `nft refused a change: ${refusal}`, { details: { commands } });
  },
});
