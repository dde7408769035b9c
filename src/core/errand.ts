import type { Technique } from '../contract/techniques.ts';
import { type Desired, halt, type Observed, type Stage } from './plan.ts';

/** Something to be done once with a VPS's data, on its way to where it is wanted. */
export type Errand =
  | {
      readonly kind: 'createSnapshot';
      readonly snapshot: string;
      readonly stateful?: boolean | undefined;
    }
  | { readonly kind: 'restoreSnapshot'; readonly snapshot: string }
  | { readonly kind: 'deleteSnapshot'; readonly snapshot: string }
  /** `kept` is the snapshot that holds the data as it was. */
  | { readonly kind: 'convert'; readonly technique: Technique; readonly kept: string };

/** The stages of an errand. What is restored has no more use for a guest that ends in good order. */
export function planErrand(errand: Errand, desired: Desired, observed: Observed): Stage[] {
  switch (errand.kind) {
    case 'createSnapshot':
      return [
        [
          {
            type: 'createSnapshot',
            snapshot: errand.snapshot,
            running: observed.machine === 'running',
            stateful: errand.stateful === true,
          },
        ],
      ];
    case 'restoreSnapshot':
      return [
        ...halt({ ...desired, shutdownMs: 0 }, observed),
        [{ type: 'restoreSnapshot', snapshot: errand.snapshot }],
      ];
    case 'convert':
      return [
        ...halt(desired, observed),
        [{ type: 'keepData', kept: errand.kept }],
        [{ type: 'convertData', technique: errand.technique }],
      ];
    case 'deleteSnapshot':
      return [[{ type: 'deleteSnapshot', snapshot: errand.snapshot }]];
  }
}
