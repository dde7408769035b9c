import { MullionError } from '../contract/errors.ts';
import type { Runner } from './run.ts';

/** Bytes of the largest ordinary frame, with its header. */
export const ETHERNET_FRAME = 1_514;

/** Makes changes of tc(8), in order. @throws MullionError `host_unfit` with the kernel's words */
export async function changeTraffic(run: Runner, changes: readonly string[]): Promise<void> {
  if (changes.length === 0) return;
  try {
    await run(['tc', '-batch', '-'], { stdin: `${changes.join('\n')}\n` });
  } catch (cause) {
    throw new MullionError('host_unfit', 'The rate of a network link could not be limited.', {
      remedy: 'Use a kernel with sch_tbf, sch_ingress, cls_u32, act_mirred and ifb, or set the rates to 0',
      details: { changes: changes.join('; ') },
      cause,
    });
  }
}

/** Takes away what is there; nothing there is fine. */
export async function removeTraffic(run: Runner, removals: readonly string[]): Promise<void> {
  if (removals.length === 0) return;
  await run(['tc', '-force', '-batch', '-'], { stdin: `${removals.join('\n')}\n`, okCodes: [0, 1, 2] });
}
