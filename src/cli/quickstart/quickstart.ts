import { asMullionError, MullionError } from '../../contract/error-table.ts';
import type { Progress } from '../../contract/tasks.ts';
import { commandLinkStep } from './command-link.ts';
import { daemonStep } from './daemon-service.ts';
import { firstVpsStep } from './first-vps.ts';
import { groupStep } from './group.ts';
import { hostStep } from './host-check.ts';
import { imageStep } from './image.ts';
import { packagesStep } from './packages.ts';
import { poolStep } from './pool.ts';
import type { Setup, Step } from './step.ts';

/** In this order: each may rely on those before it. */
export const STEPS: readonly Step[] = [
  hostStep,
  packagesStep,
  groupStep,
  commandLinkStep,
  daemonStep,
  poolStep,
  imageStep,
  firstVpsStep,
];

export interface StepOutcome {
  readonly step: string;
  readonly changed: boolean;
  readonly message: string;
  readonly seconds: number;
}

export interface QuickstartResult {
  readonly changed: boolean;
  readonly steps: readonly StepOutcome[];
  /** Commands worth typing next. */
  readonly next: readonly { readonly command: string; readonly does: string }[];
}

export const NEXT: QuickstartResult['next'] = [
  { command: 'mullion list', does: 'your VPSs' },
  { command: 'mullion exec first --tty -- bash', does: 'a shell inside the first' },
  { command: 'mullion launch debian/12 web --memory 256M --cpus 0.5', does: 'a second VPS, with limits' },
  { command: 'mullion techniques', does: 'what this host can run, and why' },
  { command: 'mullion help', does: 'every command' },
];

/**
 * Sets the machine up, step by step. A step that fails ends it; running it again goes on where it ended.
 * @throws MullionError with the step's name in `details.step`.
 */
export async function quickstart(
  setup: Setup,
  onProgress: (progress: Progress) => void,
  steps: readonly Step[] = STEPS,
): Promise<QuickstartResult> {
  const outcomes: StepOutcome[] = [];
  const tree: Progress = {
    name: 'quickstart',
    state: 'running',
    children: steps.map(({ name }) => ({ name, state: 'waiting', children: [] })),
  };
  const replace = (index: number, child: Progress): void => {
    tree.children[index] = child;
    onProgress(tree);
  };
  for (const [index, step] of steps.entries()) {
    const base: Progress = { name: step.name, state: 'running', children: [] };
    const began = performance.now();
    replace(index, base);
    try {
      setup.signal?.throwIfAborted();
      const result = await step.run(setup, (update) => replace(index, { ...base, ...update }));
      replace(index, { ...base, state: 'done', message: result.message });
      const seconds = Math.round((performance.now() - began) / 100) / 10;
      outcomes.push({ step: step.name, ...result, seconds });
    } catch (thrown) {
      const failure = asMullionError(thrown);
      replace(index, { ...base, state: 'failed', message: failure.message });
      throw new MullionError(failure.code, failure.message, {
        remedy: failure.remedy,
        details: { ...failure.details, step: step.name },
        cause: thrown,
      });
    }
  }
  onProgress({ ...tree, state: 'done' });
  return { changed: outcomes.some((outcome) => outcome.changed), steps: outcomes, next: NEXT };
}
