import type { Client } from '../../client/client.ts';
import type { Config } from '../../config.ts';
import type { Progress } from '../../contract/tasks.ts';
import type { Naming } from '../../core/naming.ts';
import type { Runner } from '../../host/run.ts';

/** What the steps work with. */
export interface Setup {
  /** The checkout. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What was built of it. */
  readonly build: string;
  readonly config: Config;
  readonly naming: Naming;
  readonly client: Client;
  readonly run: Runner;
  readonly signal: AbortSignal | undefined;
}

/** What a step did; `changed` is false when it found all as it should be. */
export interface StepResult {
  readonly changed: boolean;
  /** One line for people. */
  readonly message: string;
}

/** Shows how far a step is; only what changed need be given. */
export type Report = (progress: Partial<Omit<Progress, 'name' | 'state'>>) => void;

/** One thing that quickstart sees to. It looks first, and does only what is missing: safe after a kill anywhere. */
export interface Step {
  readonly name: string;
  run(setup: Setup, report: Report): Promise<StepResult>;
}

export const found = (message: string): StepResult => ({ changed: false, message });
export const changed = (message: string): StepResult => ({ changed: true, message });
