import type { Context } from './context.ts';
import type { VpsRecord } from './records.ts';

/**
 * Waits while the guest starts, for what only its agent can carry: at most as long as a step may take, and not beyond the
 * end of its machine. What follows finds out by itself how it is then.
 */
export async function untilAnswering(
  context: Context,
  { id, project }: Pick<VpsRecord, 'id' | 'project'>,
  gone: AbortSignal | undefined,
): Promise<void> {
  const starts = (): boolean => {
    const record = context.state.vps.get(id);
    return record?.health === 'starting' && record.state === 'running';
  };
  if (!starts()) return;
  const over = AbortSignal.timeout(context.timings.step);
  const signal = gone === undefined ? over : AbortSignal.any([over, gone]);
  for await (const _change of context.events.subscribe({ project }, signal)) if (!starts()) break;
  gone?.throwIfAborted();
}
