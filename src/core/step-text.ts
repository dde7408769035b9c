import { formatSize } from '../contract/size-text.ts';
import type { Step } from './plan.ts';

/** One line for people: what a step does. */
export function describeStep(step: Step): string {
  switch (step.type) {
    case 'createVolume':
      return `create the volume, limited to ${formatSize(step.limit)}`;
    case 'setVolumeLimit':
      return `limit the volume to ${formatSize(step.limit)}`;
    case 'populate':
      return 'fill the volume from the image';
    case 'cloneVolume':
      return `copy the ${step.source.template ? 'memory template' : 'volume'}${step.source.snapshot === undefined ? '' : ` as the snapshot ${step.source.snapshot} keeps it`}, limited to ${formatSize(step.limit)}`;
    case 'individualize':
      return 'take out what must be no other VPS’s';
    case 'createSnapshot':
      return `make the snapshot ${step.snapshot}${step.stateful ? ', with memory' : ''}`;
    case 'restoreSnapshot':
      return `go back to the snapshot ${step.snapshot}`;
    case 'deleteSnapshot':
      return `delete the snapshot ${step.snapshot}`;
    case 'keepData':
      return 'keep the data as it is';
    case 'convertData':
      return `convert the data for the technique ${step.technique}`;
    case 'admit':
      return 'reserve the name and addresses on the network';
    case 'prepare':
      return 'prepare the machine';
    case 'connect':
      return 'connect it to the network';
    case 'start':
      return 'start it';
    case 'pause':
      return 'pause it';
    case 'resume':
      return 'resume it';
    case 'setLimits':
      return 'apply the limits';
    case 'setRates':
      return 'limit the rates of disk and network';
    case 'shutdown':
      return `shut it down, for at most ${step.timeoutMs / 1000} s`;
    case 'remove':
      return 'remove its processes';
    case 'detach':
      return 'disconnect it from the network';
    case 'deleteVolume':
      return 'delete the volume';
    case 'forget':
      return 'forget it';
  }
}
