import { MullionError } from '../../contract/errors.ts';
import type { Connect } from '../../drivers/driver.ts';
import { bounded, unlessAborted } from '../bounded.ts';
import { now } from '../context.ts';
import { attachmentOf } from '../machine.ts';
import type { Executors, Scope } from './scope.ts';

/** How much longer than it was told a driver may take to give up a shutdown. */
const SHUTDOWN_GRACE_MS = 5_000;

/** Steps on a VPS's machine. */
export const machineExecutors: Pick<
  Executors,
  'prepare' | 'start' | 'pause' | 'resume' | 'setLimits' | 'setRates' | 'shutdown' | 'remove'
> = {
  prepare: async (scope) => {
    const { context, driver, machine } = scope;
    const { handle, link } = await bounded(
      'prepare the machine',
      context.timings.step,
      driver.prepare(machine, earlyConnect(scope)),
    );
    scope.update({
      runtime: { bootId: context.bootId, handle: { ...handle, data: { ...handle.data } }, link },
      changed: [],
    });
  },

  start: async (scope) => {
    const { context, driver, machine, handle } = scope;
    await bounded('start it', context.timings.step, driver.start(machine, handle));
    scope.update({ startedAt: now(context), health: driver.health === undefined ? 'unknown' : 'starting' });
  },

  pause: async ({ context, driver, machine, handle }) => {
    if (driver.pause === undefined) throw lacks('pause');
    await bounded('pause it', context.timings.step, driver.pause.pause(machine, handle));
  },

  resume: async ({ context, driver, machine, handle }) => {
    if (driver.pause === undefined) throw lacks('resume');
    await bounded('resume it', context.timings.step, driver.pause.resume(machine, handle));
  },

  setLimits: async ({ context, driver, machine, handle }, { limits }) => {
    if (driver.limits === undefined) throw lacks('change limits of a running VPS');
    await bounded('apply the limits', context.timings.step, driver.limits.setLimits(machine, handle, limits));
  },

  setRates: async (scope, { rates }) => {
    const { context, driver, machine, handle } = scope;
    if (driver.diskRates !== undefined) {
      await bounded(
        'limit the rates of its disk',
        context.timings.step,
        driver.diskRates.setDiskRates(machine, handle, rates),
      );
    }
    if (scope.record.observed.network !== 'connected') return;
    const attachment = { ...scope.attachment, rates };
    await bounded(
      'limit the rates of its network',
      context.timings.step,
      context.deps.network.setRates(attachment),
    );
  },

  shutdown: async ({ context, driver, machine, handle, signal }, { timeoutMs }) => {
    try {
      const ended = AbortSignal.any([signal, context.closing]);
      const shutdown = driver.shutdown(machine, handle, timeoutMs);
      await bounded('shut down', timeoutMs + SHUTDOWN_GRACE_MS, unlessAborted(ended, shutdown));
    } catch (failure) {
      // What did not end in time is killed by the removal that follows.
      if (!(failure instanceof MullionError && failure.code === 'timeout')) throw failure;
    }
  },

  remove: async (scope) => {
    const { context, driver, machine, id } = scope;
    unwatch(scope);
    context.earlyLinks.forget(id);
    const handle = scope.record.runtime?.handle;
    await bounded(`remove the machine ${id}`, context.timings.step, driver.remove(machine, handle));
    scope.update({ runtime: null, startedAt: null, health: 'unknown', changed: [] });
  },
};

/** For a machine that is to have a link. */
function earlyConnect({ context, id, record }: Scope): Connect | undefined {
  const attachment = attachmentOf(context, record);
  if (attachment === undefined) return undefined;
  return context.earlyLinks.begin(id, (link) => context.deps.network.connect(attachment, link));
}

function unwatch({ context, id }: Scope): void {
  const stop = context.watches.get(id);
  context.watches.delete(id);
  stop?.();
}

const lacks = (what: string): MullionError =>
  new MullionError('not_supported', `This technique cannot ${what}.`);
