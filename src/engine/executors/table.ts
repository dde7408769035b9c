import type { Step, StepOf, StepType } from '../../core/plan.ts';
import { conversionExecutors } from './conversion.ts';
import { dataExecutors } from './data.ts';
import { machineExecutors } from './machine.ts';
import { networkExecutors } from './network.ts';
import type { Executors, Scope } from './scope.ts';
import { snapshotExecutors } from './snapshots.ts';

const EXECUTORS: Executors = {
  ...dataExecutors,
  ...networkExecutors,
  ...machineExecutors,
  ...snapshotExecutors,
  ...conversionExecutors,
};

const perform = <T extends StepType>(scope: Scope, type: T, step: StepOf<T>): Promise<void> =>
  EXECUTORS[type](scope, step);

export const performStep = (scope: Scope, step: Step): Promise<void> =>
  perform<StepType>(scope, step.type, step);
