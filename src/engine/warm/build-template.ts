import { rm } from 'node:fs/promises';
import { MullionError } from '../../contract/errors.ts';
import { TEMPLATE_UID_BASE, UID_COUNT, vpsLogDirectory, vpsRunDirectory } from '../../core/naming.ts';
import type { Driver, Handle, Machine } from '../../drivers/driver.ts';
import { bounded, pause } from '../bounded.ts';
import { type Context, requireDriver } from '../context.ts';
import { strangerMachine } from '../machine.ts';
import { withinRoom } from '../pool-room.ts';
import type { TaskRun } from '../task-run.ts';
import { type TemplateNeeds, templateLimits } from './template-key.ts';

const LOOK_MS = 500;

/** Boots a machine of its own in a volume of this id, and leaves its memory there. What fails leaves nothing. */
export async function buildTemplate(
  context: Context,
  id: string,
  needs: TemplateNeeds,
  volumeLimit: number,
  run: TaskRun,
): Promise<void> {
  const { pool, images } = context.deps;
  const { technique, imageId } = needs;
  const driver = requireDriver(context, technique);
  const { memory, warm } = driver;
  if (memory === undefined || warm === undefined) {
    throw new MullionError('not_supported', `The technique ${technique} has no warm start.`);
  }
  const machine = templateMachine(context, id, needs);
  const signal = AbortSignal.any([run.signal, context.closing]);
  const { populate } = context.timings;
  const room = memory.room(machine);
  try {
    await withinRoom(context, 'the memory template', room, signal, async (within) => {
      const step = <T>(what: string, work: () => Promise<T>, ms = context.timings.step): Promise<T> => {
        within.throwIfAborted();
        return run.part(what, () => bounded(what, ms, work()));
      };
      await step('create the volume', () => pool.createVolume(id, volumeLimit + room));
      await step(
        'fill the volume from the image',
        async () => {
          await images.provide(imageId, driver.needs(technique), within);
          await driver.populate(machine);
        },
        populate,
      );
      const { handle } = await step('prepare the machine', () => driver.prepare(machine));
      await step('start it', () => driver.start(machine, handle));
      await step(
        'wait until it has booted',
        () => booted(context, driver, machine, handle, within),
        populate,
      );
      await step('wait until it has settled', () => warm.settle(machine, handle), populate);
      await step('save its memory', () => memory.save(machine, handle, within), populate);
      await step('end it', () => driver.remove(machine, handle));
    });
    await forgetFolders(context, id);
  } catch (failure) {
    await run.part('take away what was made', async () => {
      await driver.remove(machine, undefined);
      await pool.deleteVolume(id);
      await forgetFolders(context, id);
    });
    throw failure;
  }
}

function templateMachine(context: Context, id: string, needs: TemplateNeeds): Machine {
  return {
    ...strangerMachine(context, id, needs.technique),
    name: 'template',
    project: needs.project,
    limits: templateLimits(needs.limits),
    ids: { base: TEMPLATE_UID_BASE, count: UID_COUNT },
    image: context.deps.images.files(needs.imageId),
    machineId: '0'.repeat(31).concat('1'),
    template: true,
  };
}

async function booted(
  context: Context,
  driver: Driver,
  machine: Machine,
  handle: Handle,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + context.timings.health;
  for (;;) {
    signal.throwIfAborted();
    const ready = driver.health?.isReady(machine, handle) ?? Promise.resolve(true);
    if (await bounded('answer', context.timings.question, ready).catch(() => false)) return;
    if (performance.now() > until) throw new MullionError('timeout', 'The template did not boot in time.');
    await pause(LOOK_MS, signal);
  }
}

async function forgetFolders({ deps: { naming } }: Context, id: string): Promise<void> {
  for (const folder of [vpsLogDirectory(naming, id), vpsRunDirectory(naming, id)]) {
    await rm(folder, { recursive: true, force: true });
  }
}
