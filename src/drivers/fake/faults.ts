import { MullionError } from '../../contract/errors.ts';
import type { Machine } from '../driver.ts';

/** The variable in a VPS's environment that makes it fail: `start-fails`, or several: `slow:50,dies-after:200`. */
export const FAULT_VARIABLE = 'MULLION_FAKE_FAULT';

export interface Faults {
  readonly populateFails: boolean;
  readonly prepareFails: boolean;
  readonly startFails: boolean;
  readonly pauseFails: boolean;
  readonly limitsFail: boolean;
  readonly removeFails: boolean;
  readonly shutdownHangs: boolean;
  /** The guest takes no notice of a shutdown. */
  readonly shutdownIgnored: boolean;
  readonly handleLost: boolean;
  readonly execFails: boolean;
  readonly neverReady: boolean;
  /** The guest answers this long after its start, in milliseconds. */
  readonly readyAfter: number;
  readonly saveFails: boolean;
  readonly freezeFails: boolean;
  readonly freezeHangs: boolean;
  /** The guest says that its file systems are at rest, and they are not. */
  readonly freezeLies: boolean;
  /** The guest ends this long after its start, in milliseconds. */
  readonly diesAfter: number | undefined;
  /** The guest stands still for want of room this long after its start, in milliseconds. */
  readonly stallsAfter: number | undefined;
  /** Each step takes this long, in milliseconds. */
  readonly slow: number;
}

export function faultsOf(machine: Pick<Machine, 'env'>): Faults {
  const words = (machine.env[FAULT_VARIABLE] ?? '').split(',').map((word) => word.trim());
  const has = (word: string): boolean => words.includes(word);
  const number = (word: string): number | undefined => {
    const found = words.find((candidate) => candidate.startsWith(`${word}:`));
    const value = Number(found?.slice(word.length + 1));
    return found === undefined || !Number.isFinite(value) ? undefined : value;
  };
  return {
    populateFails: has('populate-fails'),
    prepareFails: has('prepare-fails'),
    startFails: has('start-fails'),
    pauseFails: has('pause-fails'),
    limitsFail: has('limits-fail'),
    removeFails: has('remove-fails'),
    shutdownHangs: has('shutdown-hangs'),
    shutdownIgnored: has('shutdown-ignored'),
    handleLost: has('handle-lost'),
    execFails: has('exec-fails'),
    neverReady: has('never-ready'),
    readyAfter: number('ready-after') ?? 0,
    saveFails: has('save-fails'),
    freezeFails: has('freeze-fails'),
    freezeHangs: has('freeze-hangs'),
    freezeLies: has('freeze-lies'),
    diesAfter: number('dies-after'),
    stallsAfter: number('stalls-after'),
    slow: number('slow') ?? 0,
  };
}

/** @throws command_failed when the fault is wanted */
export function failWhen(wanted: boolean, what: string): void {
  if (wanted) throw new MullionError('command_failed', `The fake was told to fail: ${what}.`);
}

export const delay = (ms: number): Promise<void> =>
  ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
